/** What the driver of our own client uses: its environment, clients, and the lines it prints. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type SlsClient, type SlsClientOptions, SlsError, slsClient } from '../../../src/entry/sls.ts'

const variable = (name: string): string => {
  const value = process.env[name]
  if (value === undefined) throw new Error(`${name} is not set`)
  return value
}

export const prefix = variable('SLS_PREFIX')
const endpoint = `http://127.0.0.1:${variable('SLS_PORT')}`
export const key = { accessKeyId: variable('SLS_AK'), accessKeySecret: variable('SLS_SK') }
export const temporaryKey = {
  accessKeyId: variable('SLS_STS_AK'),
  accessKeySecret: variable('SLS_STS_SK'),
  securityToken: variable('SLS_STS_TOKEN'),
}

export const connect = (options: Partial<SlsClientOptions> = {}): SlsClient =>
  slsClient({ endpoint, region: 'cn-hangzhou', credentials: key, ...options }).client

const caseMsMax = 20_000
const say = (line: object): void => {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

/** Runs one case and prints how it went. A case that hangs is red after 20 seconds, and the next one runs. */
export const check = async (id: string, work: () => Promise<void>): Promise<void> => {
  const limit = new AbortController()
  const late = async (): Promise<never> => {
    await sleep(caseMsMax, undefined, { signal: limit.signal })
    throw new Error(`nothing after ${caseMsMax / 1000} s`)
  }
  try {
    await Promise.race([work(), late()])
    say({ case: id, ok: true })
  } catch (error) {
    say({ case: id, ok: false, detail: error instanceof Error ? (error.stack ?? error.message) : String(error) })
  } finally {
    limit.abort()
  }
}

/** The SlsError with which `work` rejects. */
export const refusal = async (work: () => Promise<unknown>): Promise<SlsError> => {
  try {
    await work()
  } catch (error) {
    if (error instanceof SlsError) return error
    throw error
  }
  throw new Error('no error')
}

export const codeOf = async (work: () => Promise<unknown>): Promise<string | undefined> =>
  (await refusal(work)).errorCode
