import type { Reporter, TestModule } from 'vitest/node'

/** Says which seed the properties start from, and ends the run with one plain line of counts. */
export class SummaryReporter implements Reporter {
  readonly #seed: string

  constructor(seed: string) {
    this.#seed = seed
  }

  onInit(): void {
    process.stdout.write(`seed ${this.#seed}\n`)
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const count = { passed: 0, failed: unhandledErrors.length, skipped: 0, pending: 0 }
    for (const module of modules) {
      for (const test of module.children.allTests()) count[test.result().state] += 1
      // A file that does not load, or whose hooks throw, has failed even if each test it still ran has passed.
      count.failed += module.errors().length
      for (const suite of module.children.allSuites()) count.failed += suite.errors().length
    }
    const skipped = count.skipped + count.pending
    if (count.failed > 0) process.stdout.write(`to repeat: SEED=${this.#seed} npm test\n`)
    process.stdout.write(`${count.passed} passed, ${count.failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`)
  }
}
