/** One promise of a contract, as data: any test runner can run it, `test(check.name, () => check.run())`. */
export interface ContractCheck {
  /** A sentence that is true of whatever keeps the contract. */
  readonly name: string
  /** Rejects with an AssertionError when the promise is broken. */
  run(): Promise<void>
}

/** Opens what is tested anew for each check, and closes it after, also when the check fails. */
export const checksWith = <Fixture>(
  setup: () => Promise<Fixture> | Fixture,
  dispose: (fixture: Fixture) => Promise<void> | void,
  checks: Readonly<Record<string, (fixture: Fixture) => Promise<void> | void>>,
): ContractCheck[] =>
  Object.entries(checks).map(([name, check]) => ({
    name,
    async run() {
      const fixture = await setup()
      try {
        await check(fixture)
      } finally {
        await dispose(fixture)
      }
    },
  }))
