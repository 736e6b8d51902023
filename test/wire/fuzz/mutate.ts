import { SeededRandom } from '../../../src/testing/seeded-random.ts'

/** Changes bytes as networks, disks and enemies do. */
export class Mutator {
  readonly #random: SeededRandom

  constructor(seed: number) {
    this.#random = new SeededRandom(seed)
  }

  below(limit: number): number {
    return Math.floor(this.#random.float() * limit)
  }

  of<Item>(list: readonly Item[]): Item {
    return list[this.below(list.length)] as Item
  }

  /** One to four changes. */
  mutate(bytes: Uint8Array): Uint8Array {
    let changed = bytes
    for (let left = 1 + this.below(4); left > 0; left--) changed = this.of(this.#changes)(changed)
    return changed
  }

  #at(bytes: Uint8Array): number {
    return this.below(bytes.length + 1)
  }

  readonly #changes: readonly ((bytes: Uint8Array) => Uint8Array)[] = [
    // a bit
    (bytes) => withByte(bytes, this.#at(bytes), (byte) => byte ^ (1 << this.below(8))),
    // a byte, often one that means something
    (bytes) => {
      const value = this.of([0, 1, 0x7f, 0x80, 0xff, 0x0a, 0x0b, 0x0c, 0x12, 0x08, 0x25, 0x1a, 0x32, this.below(256)])
      return withByte(bytes, this.#at(bytes), () => value)
    },
    // a number a little off
    (bytes) => withByte(bytes, this.#at(bytes), (byte) => byte + this.of([-2, -1, 1, 2])),
    // cut
    (bytes) => bytes.subarray(0, this.#at(bytes)),
    // a piece taken out
    (bytes) => {
      const from = this.#at(bytes)
      return joined(bytes.subarray(0, from), bytes.subarray(from + 1 + this.below(8)))
    },
    // a piece put in: rubbish, or a varint without end
    (bytes) => {
      const at = this.#at(bytes)
      const piece = Uint8Array.from({ length: 1 + this.below(12) }, () => this.of([0x80, 0xff, this.below(256)]))
      return joined(bytes.subarray(0, at), piece, bytes.subarray(at))
    },
    // a piece twice
    (bytes) => {
      const from = this.#at(bytes)
      const to = from + this.below(40)
      return joined(bytes.subarray(0, to), bytes.subarray(from))
    },
    // a varint longer than it needs to be
    (bytes) => {
      const at = this.#at(bytes)
      const byte = bytes[at] ?? 0
      return joined(bytes.subarray(0, at), Uint8Array.of(byte | 0x80, this.of([0, 0x80])), bytes.subarray(at + 1))
    },
  ]
}

const joined = (...parts: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts))

const withByte = (bytes: Uint8Array, at: number, change: (byte: number) => number): Uint8Array => {
  const copy = bytes.slice()
  if (at < copy.length) copy[at] = change(copy[at] as number)
  return copy
}
