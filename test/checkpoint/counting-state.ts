/** Output that was staged and is to be made visible: records `from` up to, not including, `to`. */
export interface Receipt {
  readonly name: string
  readonly from: number
  readonly to: number
}

export const inlineBytesMax = 100

/** State that tells whether it is the state of `count`: longer than what a manifest takes. */
export const stateBytes = (count: number): Uint8Array =>
  Uint8Array.from({ length: inlineBytesMax + 20 + (count % 7) }, (_, index) => (count * 13 + index) & 0xff)
