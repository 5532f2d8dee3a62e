/** All results in one zip, under their real names. */

import { bytesOf, save } from "../pictures/media.js";
import { unique } from "../pictures/names.js";
import { downloadZip } from "../vendor/client-zip/index.js";

/** Save these as one zip. Names that are there already get a number.
 * @param {{name: string, url: string}[]} files */
export async function saveAll(files) {
  const taken = new Set();
  const named = files.map(({ name, url }) => {
    const found = unique(name, (each) => !taken.has(each));
    taken.add(found);
    return { name: found, url };
  });
  save(await downloadZip(entries(named)).blob(), "taskarray.zip");
}

/** One after the other, so that no more than one waits in memory beside the zip. */
async function* entries(files) {
  for (const { name, url } of files) yield { name, lastModified: new Date(), input: await bytesOf(url) };
}
