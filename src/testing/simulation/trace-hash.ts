const scratch = new Float64Array(1)
const words = new Uint32Array(scratch.buffer)

/** FNV-1a over what happened and when; order matters. */
export class TraceHash {
  #low = 0x811c9dc5
  #high = 0xcbf29ce4

  add(text: string, atMs: number): void {
    scratch[0] = atMs
    let low = Math.imul(this.#low ^ (words[0] ?? 0), 0x01000193)
    low = Math.imul(low ^ (words[1] ?? 0), 0x01000193)
    for (let index = 0; index < text.length; index++) low = Math.imul(low ^ text.charCodeAt(index), 0x01000193)
    this.#low = low
    this.#high = Math.imul(this.#high ^ low, 0x85ebca6b)
  }

  hex(): string {
    return [this.#high, this.#low].map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('')
  }
}
