// A worklet: what goes into its node comes out as messages, each with a piece of one channel, the mean of all.

// Samples of a piece: about a twentieth of a second.
const PIECE = 2048;

class Capture extends AudioWorkletProcessor {
  #piece = new Float32Array(PIECE);
  #length = 0;

  /** @param {Float32Array[][]} inputs */
  process([channels]) {
    const count = channels[0]?.length ?? 0;
    for (let i = 0; i < count; i += 1) {
      let sum = 0;
      for (const channel of channels) sum += channel[i];
      this.#piece[this.#length] = sum / channels.length;
      this.#length += 1;
      if (this.#length === PIECE) this.#send();
    }
    return true;
  }

  #send() {
    this.port.postMessage(this.#piece);
    this.#length = 0;
  }
}

registerProcessor('cresset-capture', Capture);
