/** What both Node drivers use: where the service is, the official packages, and the lines they print. */
import assert from 'node:assert/strict'
import dns from 'node:dns'
import { createRequire } from 'node:module'
import { setTimeout as sleep } from 'node:timers/promises'

/** Loads a package from where set-up installed it. */
export const load = createRequire(`${process.env.SLS_HOME}/package.json`)

const { SLS_HOST, SLS_PORT, SLS_AK, SLS_SK, SLS_STS_AK, SLS_STS_SK, SLS_STS_TOKEN, SLS_PREFIX } = process.env
export const endpoint = `${SLS_HOST}:${SLS_PORT}`
/** Without a name in front, a host that the service takes for no project. */
export const bareEndpoint = `127.0.0.1:${SLS_PORT}`
export const key = { id: SLS_AK, secret: SLS_SK }
export const temporaryKey = { id: SLS_STS_AK, secret: SLS_STS_SK, token: SLS_STS_TOKEN }
export const name = (text) => `${SLS_PREFIX}${text}`

const isOurs = (host) => host === SLS_HOST || host.endsWith(`.${SLS_HOST}`)

/** Answers 127.0.0.1 for every name below the endpoint: no resolver knows those. */
export const lookup = (_host, options, done) => {
  const callback = typeof options === 'function' ? options : done
  const all = typeof options === 'object' && options?.all === true
  if (all) process.nextTick(callback, null, [{ address: '127.0.0.1', family: 4 }])
  else process.nextTick(callback, null, '127.0.0.1', 4)
}

/** For an SDK that takes no resolver: every look-up of this process. */
export const resolveEverywhere = () => {
  const usual = dns.lookup
  dns.lookup = (host, options, done) => (isOurs(host) ? lookup(host, options, done) : usual(host, options, done))
}

/** What a red case shows: the message, and the lines of the stack that are ours. */
const detailOf = (error) => {
  const lines = String(error?.stack ?? error).split('\n')
  return lines
    .filter((line) => !/^\s+at /.test(line) || line.includes('/interop/node/'))
    .join('\n')
    .slice(0, 2_000)
}

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`)

const caseMsMax = 20_000

/** Runs one case and prints how it went. A case that hangs is red after 20 seconds, and the next one runs. */
export const check = async (id, work) => {
  const limit = new AbortController()
  try {
    await Promise.race([
      work(),
      sleep(caseMsMax, undefined, { signal: limit.signal }).then(() => {
        throw new Error(`nothing after ${caseMsMax / 1000} s`)
      }),
    ])
    say({ case: id, ok: true })
  } catch (error) {
    say({ case: id, ok: false, detail: detailOf(error) })
  } finally {
    limit.abort()
  }
}

/** The error with which `work` rejects. */
export const refusal = async (work) => {
  let value
  try {
    value = await work()
  } catch (error) {
    return error
  }
  throw new assert.AssertionError({ message: `no error, but ${JSON.stringify(value)}` })
}
