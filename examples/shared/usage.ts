/** A mistake in how the program was called: message, fix, and exit code 2. */
export class UsageError extends Error {
  readonly code = 'USAGE'
  readonly exitCode = 2
  readonly fix: string

  constructor(message: string, fix: string) {
    super(`${message}\n  fix: ${fix}`)
    this.name = 'UsageError'
    this.fix = fix
  }
}
