// Keeps the end of a text in sight while it grows, unless the reader has scrolled away from it.

const NEAR_PX = 32;
const END_PX = 2; // scrolling stops at fractions of a pixel

export class Follower {
  #box;
  #onAway;
  #isEmpty;
  #top = 0;
  #following = true;

  /** @param {HTMLElement} box   that scrolls what its children grow to @param {(away: boolean) => void} onAway @param {() => boolean} isEmpty   what is there instead is read from its beginning */
  constructor(box, onAway, isEmpty) {
    this.#box = box;
    this.#onAway = onAway;
    this.#isEmpty = isEmpty;
    box.addEventListener('scroll', () => this.#moved(), { passive: true });
    // The reader wins at once, even if a word arrives before the first pixel has moved.
    box.addEventListener(
      'wheel',
      ({ deltaY }) => {
        if (deltaY < 0 && box.scrollTop > 0) this.#set(false);
      },
      { passive: true },
    );
    // Whatever else changes a size, that of the box too (a keyboard, a card), leaves the end in sight.
    const sizes = new ResizeObserver(() => this.grown());
    for (const node of [box, ...box.children]) sizes.observe(node);
  }

  /** To the end, and on with it. */
  follow() {
    this.#set(true);
    this.grown();
  }

  /** The reader looks at something else than the end. */
  stay() {
    this.#set(false);
  }

  /** Something was added: in the frame that shows it, so that nothing is seen to jump. */
  grown() {
    if (this.#following) this.#box.scrollTop = this.#isEmpty() ? 0 : this.#box.scrollHeight;
    else this.#onAway(this.#left >= NEAR_PX);
  }

  #moved() {
    const { scrollTop } = this.#box;
    // What grows moves nothing up: only readers do, and what gets shorter, at whose end one then is.
    if (this.#left < END_PX || (scrollTop > this.#top && this.#left < NEAR_PX)) this.#set(true);
    else if (scrollTop < this.#top) this.#set(false);
    this.#top = scrollTop;
  }

  /** @param {boolean} following */
  #set(following) {
    this.#following = following;
    this.#onAway(!following);
  }

  get #left() {
    const { scrollTop, clientHeight, scrollHeight } = this.#box;
    return scrollHeight - scrollTop - clientHeight;
  }
}
