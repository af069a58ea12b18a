// Keeps the end of a text in sight while it grows, unless the reader has scrolled away from it.

const NEAR_PX = 32;

export class Follower {
  #box;
  #onAway;
  #following = true;

  /** @param {HTMLElement} box   that scrolls @param {(away: boolean) => void} onAway */
  constructor(box, onAway) {
    this.#box = box;
    this.#onAway = onAway;
    box.addEventListener('scroll', () => this.#set(this.#atEnd()), { passive: true });
    // The reader wins at once, even if a word arrives before the first pixel has moved.
    box.addEventListener('wheel', ({ deltaY }) => { if (deltaY < 0 && box.scrollTop > 0) this.#set(false); }, { passive: true });
    // What changes the size of the box (a keyboard, a card) leaves the end in sight too.
    new ResizeObserver(() => this.grown()).observe(box);
  }

  /** Something was added. */
  grown() {
    if (this.#following) this.#box.scrollTop = this.#box.scrollHeight;
    else this.#onAway(!this.#atEnd());
  }

  /** To the end, and on with it. */
  follow() {
    this.#set(true);
    this.grown();
  }

  #set(following) {
    this.#following = following;
    this.#onAway(!following);
  }

  #atEnd() {
    const { scrollTop, clientHeight, scrollHeight } = this.#box;
    return scrollTop + clientHeight >= scrollHeight - NEAR_PX;
  }
}
