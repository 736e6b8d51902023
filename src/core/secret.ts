const inspect = Symbol.for('nodejs.util.inspect.custom')

/** A value that must not be printed. Every way of showing it gives `[redacted]`; `reveal()` gives the value. */
export class Secret {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
  }

  reveal(): string {
    return this.#value
  }

  toString(): string {
    return '[redacted]'
  }

  toJSON(): string {
    return '[redacted]'
  }

  [inspect](): string {
    return '[redacted]'
  }
}
