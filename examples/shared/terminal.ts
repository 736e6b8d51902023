import { relative } from 'node:path'

/** What of a stream a program uses. */
export interface Terminal {
  readonly isTTY?: boolean | undefined
  readonly columns?: number | undefined
  write(text: string): unknown
}

/** Lines that stay, and below them some that are drawn again and again in place. */
export class LiveArea {
  readonly #terminal: Terminal
  /** Lines on the screen that the next drawing replaces. */
  #drawn = 0

  constructor(terminal: Terminal) {
    this.#terminal = terminal
  }

  print(...lines: readonly string[]): void {
    this.draw([])
    this.#terminal.write(lines.map((line) => `${line}\n`).join(''))
  }

  draw(lines: readonly string[]): void {
    const width = (this.#terminal.columns ?? 80) - 1
    const up = this.#drawn === 0 ? '' : `\x1b[${this.#drawn}A\r\x1b[0J`
    this.#terminal.write(up + lines.map((line) => `${[...line].slice(0, width).join('')}\n`).join(''))
    this.#drawn = lines.length
  }
}

const bars = '▁▂▃▄▅▆▇█'
const historyMax = 16

/** The last values of a rate as a row of bars. */
export class RateHistory {
  readonly #rates: number[] = []

  add(rate: number): string {
    this.#rates.push(rate)
    if (this.#rates.length > historyMax) this.#rates.shift()
    const fastest = Math.max(1, ...this.#rates)
    return this.#rates.map((one) => bars[Math.min(7, Math.floor((8 * one) / fastest))]).join('')
  }
}

export const grouped = (value: number): string => String(value).replace(/\B(?=(\d{3})+(?!\d))/g, ' ')

export const byteSize = (bytes: number): string =>
  bytes < 1024 * 1024 ? `${Math.ceil(bytes / 1024)} KiB` : `${(bytes / 1024 / 1024).toFixed(1)} MiB`

export const shortPath = (path: string): string => {
  const fromHere = relative('.', path)
  return fromHere === '' ? '.' : fromHere.startsWith('..') ? path : `./${fromHere}`
}
