import { expect, test } from 'vitest'
import type { SlsClientOptions } from '../../../../src/connectors/sls/index.ts'
import { OptionsError } from '../../../../src/core/index.ts'
import { benchOf, jsonOk } from './bench.ts'

const made =
  (options: Partial<SlsClientOptions> & Record<string, unknown>): (() => unknown) =>
  () =>
    benchOf([], options)

const reached = async (endpoint: string, more: Partial<SlsClientOptions> = {}): Promise<string> => {
  const { client, sent, run } = benchOf([jsonOk([])], { endpoint, project: 'p1', ...more })
  await run(client.shards.list('ls1'))
  return `${sent[0]?.origin} ${sent[0]?.headers['host']}`
}

test('the project is the first label of the host, and a loopback endpoint is dialled as it is', async () => {
  expect(await reached('a.log.aliyuncs.com')).toBe('https://p1.a.log.aliyuncs.com p1.a.log.aliyuncs.com')
  expect(await reached('HTTPS://A.log.aliyuncs.com:443/')).toBe('https://p1.a.log.aliyuncs.com p1.a.log.aliyuncs.com')
  expect(await reached('a.example:8443')).toBe('https://p1.a.example:8443 p1.a.example:8443')
  expect(await reached('http://127.0.0.1:8080')).toBe('http://127.0.0.1:8080 p1.127.0.0.1:8080')
  expect(await reached('http://localhost:80')).toBe('http://localhost p1.localhost')
  expect(await reached('http://[::1]:8080')).toBe('http://[::1]:8080 p1.localhost:8080')
  expect(await reached('http://10.0.0.1:8080', { allowPlainHttp: true })).toBe('http://10.0.0.1:8080 p1.10.0.0.1:8080')
})

test('all projects are listed at the endpoint itself', async () => {
  const { client, sent, run } = benchOf([jsonOk({ count: 0, total: 0, projects: [] })], {
    endpoint: 'http://127.0.0.1:8080',
  })
  await run(client.projects.list())
  expect(sent[0]).toMatchObject({ origin: 'http://127.0.0.1:8080', headers: { host: '127.0.0.1:8080' } })
})

test('what is no endpoint is refused, and one with a user is not shown', () => {
  for (const endpoint of ['', 'a b', 'ftp://a', 'a:0', 'a:65536', 'a:x', '-a', 'a.', 'http://', '::1', 'a/b', 'a\nb']) {
    expect(made({ endpoint })).toThrow(OptionsError)
  }
  expect(made({ endpoint: 'https://user:canary@a.example' })).toThrow(OptionsError)
  expect(made({ endpoint: 'https://user:canary@a.example' })).not.toThrow(/canary/)
})

test('plain http to another machine needs a word of consent', () => {
  for (const endpoint of [
    'http://a.example',
    'http://10.0.0.1',
    'http://127.0.0.1.example',
    'http://localhost.example',
  ]) {
    expect(made({ endpoint })).toThrow(/without encryption/)
    expect(made({ endpoint, allowPlainHttp: true })).not.toThrow()
  }
})

test('every mistake is named at once, with the name that was meant', () => {
  const wrong = { projet: 'p', timeout: '1parsec', signature: 'v3', retry: { attempts: 0, inital: 5 } }
  const text =
    /unknown option 'projet'; did you mean 'project'.*'signature'.*'timeout'.*'retry.inital'.*'retry.attempts'/s
  expect(made(wrong as never)).toThrow(text)
})

test('there is no option that turns the verification of certificates off', () => {
  for (const name of ['rejectUnauthorized', 'insecure', 'verify', 'ca']) {
    expect(made({ [name]: false })).toThrow(/unknown option/)
  }
})

test('signature version 4 needs a region', () => {
  expect(made({ signature: 'v4' })).toThrow(/'region' is missing/)
  expect(made({ signature: 'v4', region: 'cn-hangzhou' })).not.toThrow()
  expect(made({ signature: 'v4', region: 'a/b' })).toThrow(OptionsError)
})

test('a user agent that HTTP cannot carry, and a project that cannot be, are refused', () => {
  expect(made({ userAgent: 'a\r\nx: y' })).toThrow(OptionsError)
  for (const project of ['', '-a', 'a-', 'a.b', 'a/b', 'a'.repeat(129)]) expect(made({ project })).toThrow(OptionsError)
})
