import type { Random } from '../core/index.ts'

/** FNV-1a over the code units of a text. */
const hashText = (text: string): number => {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  return hash >>> 0
}

/** Reproducible randomness: the generator sfc32. Not for secrets. */
export class SeededRandom implements Random {
  readonly #seed: number
  #a: number
  #b: number
  #c: number
  #d: number

  /** @param seed any number; its lowest 32 bits count. */
  constructor(seed: number) {
    this.#seed = seed >>> 0
    this.#a = 0x9e3779b9 ^ this.#seed
    this.#b = 0x243f6a88 ^ Math.imul(this.#seed, 0x9e3779b1)
    this.#c = 0xb7e15162 | 0
    this.#d = this.#seed | 1
    // The first draws of near seeds resemble each other.
    for (let warm = 0; warm < 12; warm++) this.u32()
  }

  u32(): number {
    const sum = (this.#a + this.#b + this.#d) | 0
    this.#d = (this.#d + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum
    this.#c |= 0
    return sum >>> 0
  }

  float(): number {
    return this.u32() / 2 ** 32
  }

  id(): string {
    const half = (): string => this.u32().toString(16).padStart(8, '0')
    return half() + half()
  }

  /** Uniform over the integers from 0 up to, not including, `end`. */
  int(end: number): number {
    return Math.floor(this.float() * end)
  }

  /** True with the given probability. */
  bool(probability: number): boolean {
    return this.float() < probability
  }

  /** Exponential with the given mean, cut at twenty times the mean. */
  exponential(mean: number): number {
    return Math.min(-Math.log(1 - this.float()) * mean, mean * 20)
  }

  /** @throws RangeError when there is nothing to pick from. */
  pick<T>(values: readonly T[]): T {
    const index = this.int(values.length)
    if (index >= values.length) throw new RangeError('nothing to pick from')
    return values[index] as T
  }

  /**
   * Another stream, known by its label: what one stream draws never changes what another gives, however often this one
   * was used before.
   */
  fork(label: string): SeededRandom {
    return new SeededRandom(Math.imul(this.#seed ^ hashText(label), 0x85ebca6b) ^ hashText(`${label}#`))
  }
}
