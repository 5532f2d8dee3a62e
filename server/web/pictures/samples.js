/** The sample photographs that come with the page; their licences are in samples/LICENSE.txt. */

export const SAMPLES = [
  { name: "astronaut.jpg", title: "Astronaut" },
  { name: "coffee.jpg", title: "Cup of coffee" },
  { name: "camera.jpg", title: "Photographer" },
];

/** @param {string} name */
export function sampleURL(name) {
  return new URL(`samples/${name}`, import.meta.url).href;
}
