/** How long tasks of a type usually take: by what the server says of checked tasks, else the mean of this tab's. */

const ENOUGH = 3;

export class UsualTimes {
  /** @param {Record<string, {mean: number, count: number}>} known */
  constructor(known = {}) {
    this.known = known;
  }

  /** One more took so long. @param {string} taskType @param {number} milliseconds */
  took(taskType, milliseconds) {
    const { mean, count } = this.known[taskType] ?? { mean: 0, count: 0 };
    this.known[taskType] = { mean: (mean * count + milliseconds) / (count + 1), count: Math.min(count + 1, 20) };
  }

  /** The server knows. @param {string} taskType @param {number} milliseconds */
  told(taskType, milliseconds) {
    this.known[taskType] = { mean: milliseconds, count: ENOUGH };
  }

  /** Milliseconds, once there are samples enough to say. @param {string} taskType @returns {number|null} */
  of(taskType) {
    const found = this.known[taskType];
    return found && found.count >= ENOUGH ? found.mean : null;
  }
}
