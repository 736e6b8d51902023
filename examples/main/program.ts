import { isMillraceError } from 'millrace'
import type { Terminal } from '../shared/terminal.ts'
import { UsageError } from '../shared/usage.ts'
import { help, parseArguments } from './arguments.ts'
import { type Display, type Failure, openDisplay } from './display.ts'
import { openPlan, type Places } from './plan.ts'
import { type Opened, Run } from './run.ts'
import { isRight } from './verify.ts'

/** What the program needs of its process. */
export interface ProgramOptions {
  readonly args: readonly string[]
  readonly stdout: Terminal
  readonly stderr: Terminal
  readonly onSignal: (signal: 'SIGINT' | 'SIGTERM', hear: () => void) => void
  readonly places: Places
}

/** The whole program; gives its exit code. */
export const program = async (options: ProgramOptions): Promise<number> => {
  const display = openDisplay(options.stdout, options.stderr)
  try {
    const settings = parseArguments(options.args)
    if (settings.help) {
      options.stdout.write(`${help}\n`)
      return 0
    }
    const { plan, resumed } = await openPlan(settings, options.places)
    return await runAndVerify(options, display, { plan, settings, resumed })
  } catch (error) {
    const failure = failureOf(error)
    display.failed(failure)
    return failure.exitCode
  }
}

const runAndVerify = async (
  { onSignal }: ProgramOptions,
  display: Display,
  { plan, settings, resumed }: Opened,
): Promise<number> => {
  const startedMs = performance.now()
  const run = await Run.open({ plan, settings, resumed }, display)
  try {
    display.begin({ plan, settings, resumed, url: run.url })
    const forced = handleSignals(run, onSignal)
    const result = await Promise.race([forced, run.toEnd()])
    if (typeof result === 'number') return result
    display.verifying()
    const { verdict, bound, restarts } = await run.verify(result)
    display.end({ ...verdict, event: result, bound, restarts, seconds: (performance.now() - startedMs) / 1000 })
    return isRight(verdict, bound) ? 0 : 1
  } finally {
    await run.close()
  }
}

/**
 * The first signal ends the run with a last checkpoint; what the job holds goes out, so that the counts are complete. The
 * second gives up: the promise resolves to the exit code of a forced stop.
 */
const handleSignals = (run: Run, onSignal: ProgramOptions['onSignal']): Promise<number> =>
  new Promise((resolve) => {
    let heard = 0
    const hear = (exitCode: number): void => {
      heard++
      if (heard === 1) run.stop()
      else void run.cancel().then(() => resolve(exitCode))
    }
    onSignal('SIGINT', () => hear(130))
    onSignal('SIGTERM', () => hear(143))
  })

const failureOf = (error: unknown): Failure => {
  if (error instanceof UsageError || isMillraceError(error)) {
    const { code, message, fix, exitCode } = error
    return { code, message, fix, exitCode }
  }
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return { code: 'UNEXPECTED', message, exitCode: 1 }
}
