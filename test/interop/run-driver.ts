/** One driver from the start of its log service to its outcome. */
import { startChild } from './child.ts'
import type { Driver, Place } from './driver.ts'
import { judge, type Outcome, parseReport, type Report } from './outcome.ts'
import { goldenOf, startRecorder } from './recorder.ts'
import { type Keys, type Service, startService } from './service-process.ts'

const timeLimitMs = 240_000
const keys: Keys = { id: 'interop-key', secret: 'interop-secret' }
const token = 'interop/token+='

export interface RunOptions {
  readonly root: string
  /** A service that runs already, with the keys above. One is started when left out. */
  readonly servicePort: number | undefined
  /** The folder for recorded requests; no recording when left out. */
  readonly record: string | undefined
}

/** Settings of the machine would send requests elsewhere; a driver sets its own. */
const noProxies = { http_proxy: '', HTTP_PROXY: '', no_proxy: '', NO_PROXY: '', all_proxy: '', ALL_PROXY: '' }

const environmentOf = (driver: Driver, port: number): Readonly<Record<string, string>> => ({
  ...noProxies,
  SLS_HOST: 'sls.test',
  SLS_PORT: String(port),
  SLS_AK: keys.id,
  SLS_SK: keys.secret,
  SLS_STS_AK: keys.id,
  SLS_STS_SK: keys.secret,
  SLS_STS_TOKEN: token,
  SLS_PREFIX: `it-${driver.name}-`,
})

/** Runs the program of a driver to its end. Adds to the reports and the troubles. */
const runProgram = async (
  driver: Driver,
  place: Place,
  port: number,
  reports: Report[],
  troubles: string[],
): Promise<void> => {
  const command = driver.start(place)
  const { how, tail } = await startChild(
    { cwd: place.source, ...command, env: { ...environmentOf(driver, port), ...command.env } },
    {
      timeLimitMs,
      onLine: (line) => {
        const report = parseReport(line)
        if (report === undefined) troubles.push(`a line that is no report: ${line.slice(0, 200)}`)
        else reports.push(report)
      },
    },
  ).ended
  if (how === 'time limit') troubles.push(`not done after ${timeLimitMs / 60_000} minutes\n${tail}`)
  else if (how !== 0) troubles.push(`ended with ${how}\n${tail}`)
}

/** Never rejects: what goes wrong is in the outcome. */
export const runDriver = async (driver: Driver, place: Place, options: RunOptions): Promise<Outcome> => {
  const reports: Report[] = []
  const troubles: string[] = []
  let service: Service | undefined
  try {
    if (options.servicePort === undefined) service = await startService(options.root, keys)
    const port = service?.port ?? options.servicePort ?? 0
    if (options.record === undefined) await runProgram(driver, place, port, reports, troubles)
    else {
      const recorder = await startRecorder(port, goldenOf(options.record, driver))
      await runProgram(driver, place, recorder.port, reports, troubles)
      await recorder.close()
    }
  } catch (error) {
    troubles.push(error instanceof Error ? error.message : String(error))
  }
  const ended = await service?.stop()
  const tail = ended?.tail ?? ''
  if (ended !== undefined && ended.how !== 0) troubles.push(`the log service ended with ${ended.how}`)
  if (tail.includes('"level":"error"')) troubles.push('the log service logged an error')
  const outcome = judge(reports, driver.blanks, troubles)
  if (outcome.failed === 0 || tail === '') return outcome
  return { ...outcome, problems: [...outcome.problems, `the log service said last: ${tail}`] }
}
