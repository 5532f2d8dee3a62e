/** What survives a reload of this tab: its session, its tasks, and how long each type of task usually takes. */

const NAME = "taskarray.tab";
const PAUSE = 300;

/** @returns {{session: string, entries: object[], usual: object}} */
export function remembered() {
  try {
    return { session: "", entries: [], usual: {}, ...JSON.parse(sessionStorage.getItem(NAME) ?? "{}") };
  } catch {
    return { session: "", entries: [], usual: {} };
  }
}

/** Keep what `told` returns, soon and when the page goes.
 * @param {() => {session: string, entries: object[], usual: object}} told
 * @returns {() => void} to be called after each change */
export function keeper(told) {
  let timer = 0;
  const keep = () => {
    clearTimeout(timer);
    timer = 0;
    store(told());
  };
  addEventListener("pagehide", keep);
  return () => {
    timer ||= setTimeout(keep, PAUSE);
  };
}

/** The browser sets a limit; the older half of the tasks goes first. */
function store(state) {
  try {
    sessionStorage.setItem(NAME, JSON.stringify(state));
  } catch {
    if (state.entries.length) store({ ...state, entries: state.entries.slice(Math.ceil(state.entries.length / 2)) });
  }
}
