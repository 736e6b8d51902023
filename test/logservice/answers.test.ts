import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Secret } from '../../src/core/index.ts'
import { routeNames } from '../../src/logservice/routes.ts'
import { cryptoDigest } from '../../src/testing/crypto-digest.ts'
import { serviceErrors, signRequest } from '../../src/wire/index.ts'
import { jsonOf, openTestService, serviceWithLogstore, type TestService } from './service.ts'

describe('every answer', () => {
  test('has a request id of 24 upper-case hex digits, and no two have the same', async () => {
    const service = await serviceWithLogstore()
    const targets = ['/', '/logstores', '/logstores/none', '/nowhere', '/logstores/ls/shards/0?type=cursor&from=end']
    const ids = await Promise.all(
      targets.map(async (target) => (await service.send('GET', target)).headers['x-log-requestid']),
    )
    for (const id of ids) expect(id).toMatch(/^[0-9A-F]{24}$/)
    expect(new Set(ids).size).toBe(ids.length)
  })

  test('without a body is not called JSON, and an error is', async () => {
    const service = await serviceWithLogstore()
    const good = await service.send('PUT', '/logstores/ls', { body: { ttl: 1 } })
    expect(good).toMatchObject({ status: 200, headers: { 'content-length': '0' } })
    expect(good.headers).not.toHaveProperty('content-type')
    const bad = await service.send('GET', '/logstores/none')
    expect(bad).toMatchObject({ status: 404, headers: { 'content-type': 'application/json' } })
    expect(jsonOf(bad)).toEqual({ errorCode: 'LogStoreNotExist', errorMessage: 'logstore none does not exist' })
    const gone = await service.send('GET', '/logstores', { host: 'gone.sls.test' })
    expect(jsonOf(gone)).toEqual({ errorCode: 'ProjectNotExist', errorMessage: 'The Project does not exist: gone' })
  })

  test.each([
    ['GET', '/nowhere'],
    ['PATCH', '/logstores/ls'],
    ['POST', '/logstores/ls/shards/0'],
    ['GET', '/logstores/ls/shards/0'],
    ['POST', '/logstores//shards/lb'],
    ['GET', '/logstores/ls/shards/0/more'],
    ['GET', '/_millrace/faults/1'],
    ['GET', '//'],
  ])('to %s %s says that there is no such method', async (method, target) => {
    const service = await serviceWithLogstore()
    expect(await service.refused(method, target)).toBe('405 InvalidMethod')
  })

  test('to a search says that searching is not supported', async () => {
    const service = await serviceWithLogstore()
    for (const type of ['log', 'histogram', 'topic', 'context_log'])
      expect(await service.refused('GET', `/logstores/ls?type=${type}`)).toBe('400 NotSupported')
    expect(await service.refused('POST', '/logstores/ls/logs', { body: {} })).toBe('400 NotSupported')
  })
})

describe('the project of a call', () => {
  const shards = async (service: TestService, target: string, host: string): Promise<number> =>
    (await service.send('GET', target, { host })).status

  test('is what stands before the first point, or before a known endpoint, with or without a port', async () => {
    const service = await serviceWithLogstore(1, { endpoints: ['cn-x.log.test'] })
    const target = '/logstores/ls/shards'
    for (const host of ['proj.sls.test', 'PROJ.sls.test:8080', 'proj.cn-x.log.test', 'proj.localhost:80'])
      expect(await shards(service, target, host)).toBe(200)
    for (const host of ['cn-x.log.test', 'localhost:1', '127.0.0.1', '[::1]:80', ''])
      expect(await service.refused('GET', target, { host })).toBe('400 MissingHost')
  })

  test('is read from an absolute target when there is no host', async () => {
    const service = await serviceWithLogstore()
    const request = { method: 'GET', headers: {}, body: new Uint8Array(0) }
    const send = (target: string) => service.service.handle({ ...request, target }, { address: '127.0.0.1' })
    expect((await send('http://proj.sls.test:80/logstores/ls/shards')).status).toBe(200)
    expect((await send('http://proj.sls.test/logstores/ls/shards')).status).toBe(200)
    expect((await send('/logstores/ls/shards')).status).toBe(400)
  })
})

describe('projects and logstores', () => {
  test('are made on the bare endpoint too, also with a question mark behind', async () => {
    const service = await openTestService()
    await service.json('POST', '/?', { host: 'localhost:1', body: { projectName: 'made', description: 'd' } })
    expect(await service.json('GET', '/', { host: 'made.sls.test' })).toMatchObject({
      projectName: 'made',
      description: 'd',
      status: 'Normal',
      createTime: expect.stringMatching(/^\d+$/),
      quota: expect.anything(),
    })
    const again = { host: 'x.sls.test', body: { projectName: 'made' } }
    expect(await service.refused('POST', '/', again)).toBe('400 ProjectAlreadyExist')
    expect(await service.json('GET', '/?offset=&size=1&projectName=mad', { host: '127.0.0.1' })).toMatchObject({
      count: 1,
      total: 1,
      projects: [{ projectName: 'made' }],
    })
    await service.json('PUT', '/', { host: 'made.sls.test', body: { description: 'e' } })
    await service.json('DELETE', '/', { host: 'made.sls.test' })
    expect(await service.refused('GET', '/', { host: 'made.sls.test' })).toBe('404 ProjectNotExist')
  })

  test('echo what the logstore was made with, with every key that clients index', async () => {
    const service = await openTestService()
    const java = {
      autoSplit: false,
      telemetryType: '',
      resourceQuota: { storage: { preserved: -1 } },
      logstoreName: 'ls1',
      maxSplitShard: -1,
      appendMeta: false,
      enable_tracking: false,
      ttl: 7,
      shardCount: 2,
    }
    await service.json('POST', '/logstores', { body: java })
    const seconds = Math.floor(service.clock.wallMs() / 1000)
    expect(await service.json('GET', '/logstores/ls1')).toMatchObject({
      ...java,
      createTime: seconds,
      lastModifyTime: seconds,
      mode: 'standard',
      productType: '',
    })
    await service.json('PUT', '/logstores/ls1', { body: { logstoreName: 'ls1', ttl: 9, shardCount: 7 } })
    expect(await service.json('GET', '/logstores/ls1')).toMatchObject({ ttl: 9, shardCount: 2, autoSplit: false })
    expect(await service.refused('POST', '/logstores', { body: java })).toBe('400 LogStoreAlreadyExist')
  })

  test('are listed in pages, by a part of their name', async () => {
    const service = await openTestService()
    for (const logstoreName of ['b1', 'a1', 'a2', 'c'.repeat(2)])
      await service.json('POST', '/logstores', { body: { logstoreName, ttl: 1, shardCount: 1 } })
    expect(await service.json('GET', '/logstores?offset=0&size=2&logstoreName=&telemetryType=')).toEqual({
      count: 2,
      total: 4,
      logstores: ['a1', 'a2'],
    })
    expect(await service.json('GET', '/logstores?offset=1&size=&logstoreName=1')).toEqual({
      count: 1,
      total: 2,
      logstores: ['b1'],
    })
  })

  test.each([
    [{ logstoreName: 'a' }],
    [{ logstoreName: 'Ab' }],
    [{ logstoreName: 'ab', ttl: 0 }],
    [{ logstoreName: 'ab', ttl: '7' }],
    [{ logstoreName: 'ab', shardCount: 0 }],
    [{ logstoreName: 'ab', autoSplit: true, maxSplitShard: 257 }],
    [{ logstoreName: 'ab', appendMeta: 'yes' }],
    [[1]],
  ])('made of %j are refused', async (body) => {
    const service = await openTestService()
    expect(await service.refused('POST', '/logstores', { body })).toBe('400 LogStoreInfoInvalid')
  })

  test('have limits', async () => {
    const service = await openTestService({ limits: { projects: 1, logstoresPerProject: 1, shards: 3 } })
    expect(await service.refused('POST', '/', { body: { projectName: 'more' } })).toBe('403 ExceedQuota')
    const make = (logstoreName: string, shardCount: number) => ({ body: { logstoreName, ttl: 1, shardCount } })
    expect(await service.refused('POST', '/logstores', make('aa', 4))).toBe('403 ExceedQuota')
    await service.json('POST', '/logstores', make('aa', 2))
    expect(await service.refused('POST', '/logstores', make('bb', 1))).toBe('403 ExceedQuota')
    expect(await service.refused('POST', '/logstores/aa/shards/0?action=split')).toBe('403 ExceedQuota')
  })

  test('keep an index as it came', async () => {
    const service = await serviceWithLogstore()
    const index = { line: { token: [',', ' '] }, keys: { a: { type: 'long' } }, ttl: 3 }
    expect(await service.refused('GET', '/logstores/ls/index')).toBe('404 IndexConfigNotExist')
    expect(await service.refused('PUT', '/logstores/ls/index', { body: index })).toBe('404 IndexConfigNotExist')
    await service.json('POST', '/logstores/ls/index', { body: index })
    expect(await service.refused('POST', '/logstores/ls/index', { body: index })).toBe('400 IndexAlreadyExist')
    expect(await service.json('GET', '/logstores/ls/index')).toMatchObject(index)
    await service.json('DELETE', '/logstores/ls/index')
    expect(await service.refused('DELETE', '/logstores/ls/index')).toBe('404 IndexConfigNotExist')
  })
})

describe('keys', () => {
  const auth = new Map([['ak', new Secret('sk')]])
  const region = 'cn-test'

  const signed = async (service: TestService, version: 'v1' | 'v4', key: string, secret: string, token?: string) => {
    const credentials = {
      accessKeyId: key,
      accessKeySecret: new Secret(secret),
      securityToken: token === undefined ? undefined : new Secret(token),
    }
    const target = '/logstores?offset=0&size=10'
    const headers = { host: 'proj.sls.test', 'x-log-apiversion': '0.6.0', 'x-log-bodyrawsize': '0' }
    const request = { method: 'GET', target, headers, body: new Uint8Array(0) }
    const wallMs = service.clock.wallMs()
    const added = signRequest({ version, region, credentials, request, wallMs, digest: cryptoDigest })
    return service.send('GET', target, { headers: { ...headers, ...added } })
  }

  test.each(['v1', 'v4'] as const)('are known by their signature (%s), with and without a token', async (version) => {
    const service = await openTestService({ auth })
    expect((await signed(service, version, 'ak', 'sk')).status).toBe(200)
    expect((await signed(service, version, 'ak', 'sk', 'token')).status).toBe(200)
    const wrong = await signed(service, version, 'ak', 'other')
    expect(wrong.status).toBe(401)
    expect(jsonOf(wrong)).toMatchObject({
      errorCode: 'SignatureNotMatch',
      errorMessage: expect.stringMatching(/not matched/),
    })
    const unknown = await signed(service, version, 'nobody', 'sk')
    expect(unknown.status).toBe(401)
    expect(jsonOf(unknown)).toEqual({ errorCode: 'Unauthorized', errorMessage: 'AccessKeyId not found: nobody' })
  })

  test('are needed for everything but web tracking, and for faults too', async () => {
    const service = await openTestService({ auth })
    for (const [method, target] of [
      ['GET', '/'],
      ['POST', '/logstores/ls/shards/lb'],
      ['POST', '/_millrace/faults'],
    ] as const)
      expect((await service.send(method, target)).status).toBe(401)
  })

  test('do not help when the clock is off by more than a quarter of an hour', async () => {
    const service = await openTestService({ auth })
    const early = { clock: { wallMs: () => service.clock.wallMs() - 16 * 60_000 } }
    const answer = await signed(Object.assign(Object.create(service) as TestService, early), 'v1', 'ak', 'sk')
    expect(jsonOf(answer)).toMatchObject({ errorCode: 'RequestTimeExpired' })
  })
})

describe('quotas', () => {
  test('refuse writes over so many a second, and take them again in the next', async () => {
    const service = await serviceWithLogstore(1, { shardQuota: { writesPerSecond: 2 } })
    const put = async (): Promise<number> => (await service.put('/logstores/ls')).status
    expect([await put(), await put(), await put()]).toEqual([200, 200, 403])
    await service.clock.advance(1000)
    expect([await put(), await put(), await put()]).toEqual([200, 200, 403])
  })

  test('of bytes read are counted afterwards', async () => {
    const service = await serviceWithLogstore(1, { shardQuota: { readBytesPerSecond: 10 } })
    await service.put('/logstores/ls')
    const begin = await service.cursor('ls', 0, 'begin')
    expect((await service.pull('ls', 0, begin)).status).toBe(200)
    const refused = await service.pull('ls', 0, begin)
    expect(jsonOf(refused)).toMatchObject({ errorCode: 'ShardReadQuotaExceed' })
  })
})

describe('hostile requests', () => {
  const segment = fc.oneof(
    fc.constantFrom(
      'logstores',
      'ls',
      'shards',
      '0',
      'lb',
      'route',
      'consumergroups',
      'g',
      'index',
      'track',
      '_millrace',
    ),
    fc.constantFrom('faults', '..', '', '%', '%2F', '__proto__', 'constructor', '-1', '9'.repeat(30), '%00'),
    fc.string({ maxLength: 8 }),
  )
  const pair = fc
    .tuple(
      fc.constantFrom(
        'type',
        'action',
        'cursor',
        'from',
        'count',
        'key',
        'shard',
        'query',
        'offset',
        'size',
        'consumer',
      ),
      fc.oneof(
        fc.constantFrom('log', 'cursor', 'cursor_time', 'split', 'merge', 'heartbeat', 'checkpoint', 'begin', 'MA=='),
        fc.string({ maxLength: 12 }),
      ),
    )
    .map(([name, value]) => `${name}=${value}`)
  const target = fc
    .tuple(fc.array(segment, { maxLength: 6 }), fc.array(pair, { maxLength: 4 }))
    .map(([path, query]) => `/${path.join('/')}?${query.join('&')}`)
  const header = fc.constantFrom(
    'x-log-bodyrawsize',
    'x-log-compresstype',
    'x-log-mode',
    'content-type',
    'accept-encoding',
    'authorization',
    'host',
  )
  const value = fc.oneof(
    fc.constantFrom('0', '9', 'lz4', 'zstd', 'batch_group', 'application/json', 'proj.sls.test', '[::1', ':', '1e9'),
    fc.string({ maxLength: 20 }),
  )
  const body = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc.json().map((text) => new TextEncoder().encode(text)),
    fc.constant(new TextEncoder().encode('['.repeat(100_000))),
  )
  const request = fc.record({
    method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'BREW'),
    target: fc.oneof(target, fc.string({ maxLength: 30 })),
    headers: fc.dictionary(header, value).map((headers) => ({ host: 'proj.sls.test', ...headers })),
    body,
  })

  test.each(['off', 'on'])('are always answered, and never by a failure (auth %s)', async (auth) => {
    const codes = new Set(Object.keys(serviceErrors))
    await fc.assert(
      fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 8 }), async (requests) => {
        const service = await serviceWithLogstore()
        const other = auth === 'off' ? service : await openTestService({ auth: new Map(), disk: service.disk })
        for (const one of requests) {
          const answer = await other.service.handle(one, { address: '10.0.0.1' })
          expect(answer.status).toBeLessThan(500)
          expect(answer.headers['x-log-requestid']).toMatch(/^[0-9A-F]{24}$/)
          if (answer.status === 200) continue
          const { errorCode, errorMessage } = jsonOf(answer) as { errorCode: string; errorMessage: string }
          expect(codes).toContain(errorCode)
          expect(errorMessage).not.toBe('')
          expect(errorMessage.length).toBeLessThan(1000)
        }
        expect(other.errors).toEqual([])
      }),
      { numRuns: 150 },
    )
  })

  test('with a body that is too long are refused on every route', async () => {
    const service = await openTestService({ limits: { controlBytes: 100 } })
    const body = 'x'.repeat(101)
    expect(await service.refused('POST', '/logstores', { body })).toBe('400 PostBodyTooLarge')
    expect(await service.refused('POST', '/_millrace/faults', { body })).toBe('400 PostBodyTooLarge')
  })
})

describe('faults', () => {
  const faults = '/_millrace/faults'

  test('strike the requests they name, as often as they say', async () => {
    const service = await serviceWithLogstore()
    const rule = { effect: 'error', route: 'put', logstore: 'ls', status: 503, errorCode: 'ServerBusy', times: 2 }
    expect(await service.json('POST', faults, { body: rule })).toEqual({ id: 1 })
    expect(await service.json('GET', faults)).toEqual({ rules: [{ ...rule, id: 1 }], routes: routeNames })
    const put = async (): Promise<number> => (await service.put('/logstores/ls')).status
    expect((await service.send('GET', '/logstores/ls')).status).toBe(200)
    expect([await put(), await put(), await put()]).toEqual([503, 503, 200])
    const pulled = await service.pull('ls', 0, await service.cursor('ls', 0, 'begin'))
    expect(pulled.headers['x-log-count']).toBe('1')
  })

  test('after the effect leave what was put', async () => {
    const service = await serviceWithLogstore()
    await service.json('POST', faults, { body: { effect: 'error-after', route: 'put', times: 1 } })
    expect((await service.put('/logstores/ls')).status).toBe(503)
    const pulled = await service.pull('ls', 0, await service.cursor('ls', 0, 'begin'))
    expect(pulled.headers['x-log-count']).toBe('1')
  })

  test('cut bodies, expire cursors, split and merge', async () => {
    const service = await serviceWithLogstore()
    await service.put('/logstores/ls')
    const begin = await service.cursor('ls', 0, 'begin')
    const whole = (await service.pull('ls', 0, begin)).body.length
    const strike = async (rule: object) => {
      await service.json('POST', faults, { body: { times: 1, ...rule } })
      return service.pull('ls', 0, begin)
    }
    const cut = await strike({ effect: 'cut-body', route: 'pull', bytes: 5 })
    expect(cut.body).toHaveLength(5)
    expect(Number(cut.headers['x-log-bodyrawsize'])).toBeGreaterThan(whole - 5)
    expect(jsonOf(await strike({ effect: 'expire-cursor', shard: 0 }))).toMatchObject({ errorCode: 'InvalidCursor' })
    expect((await strike({ effect: 'split' })).headers['x-log-end-of-cursor']).toBe('1')
    const status = async () =>
      ((await service.json('GET', '/logstores/ls/shards')) as { status: string }[]).map((shard) => shard.status)
    expect(await status()).toEqual(['readonly', 'readwrite', 'readwrite'])
    await service.json('POST', faults, { body: { effect: 'merge', shard: 1, times: 1 } })
    await service.cursor('ls', 1, 'begin')
    expect(await status()).toEqual(['readonly', 'readonly', 'readonly', 'readwrite'])
  })

  test('delay an answer by the clock', async () => {
    const service = await serviceWithLogstore()
    const unmake = service.service.addFault({ effect: 'latency', ms: 500 })
    let answered = false
    const pending = service.send('GET', '/logstores').then(() => {
      answered = true
    })
    await service.clock.advance(499)
    expect(answered).toBe(false)
    await service.clock.advance(1)
    await pending
    unmake()
    expect((await service.send('GET', '/logstores')).status).toBe(200)
  })

  test.each([
    [{ effect: 'explode' }],
    [{ effect: 'error', status: 200 }],
    [{ effect: 'error', route: 'nothing' }],
    [{ effect: 'latency', delay: 1 }],
    [[]],
  ])('refuse the rule %j', async (body) => {
    const service = await openTestService()
    expect(await service.refused('POST', faults, { body })).toBe('400 ParameterInvalid')
  })

  test('are made from this machine only, and can be cleared', async () => {
    const service = await openTestService()
    const body = { effect: 'error' }
    expect(await service.refused('POST', faults, { body, peer: '10.1.2.3' })).toBe('403 ProjectForbidden')
    for (const peer of ['127.0.0.1', '::1', '::ffff:127.0.0.1']) await service.json('POST', faults, { body, peer })
    await service.json('DELETE', `${faults}/2`)
    expect(((await service.json('GET', faults)) as { rules: unknown[] }).rules).toHaveLength(2)
    await service.json('DELETE', faults)
    expect(((await service.json('GET', faults)) as { rules: unknown[] }).rules).toEqual([])
  })

  test('cannot be made by a page in a browser, nor anything else but web tracking', async () => {
    const service = await serviceWithLogstore()
    const sent = { body: { effect: 'error' }, headers: { origin: 'http://elsewhere.test' } }
    expect(await service.refused('POST', faults, sent)).toBe('403 ProjectForbidden')
    expect(await service.refused('POST', '/logstores', sent)).toBe('403 ProjectForbidden')
    expect(await service.refused('POST', '/logstores/ls/track', sent)).toBe('401 Unauthorized')
  })

  test('can be left out altogether', async () => {
    const service = await openTestService({ faultRoute: false })
    expect(await service.refused('GET', faults)).toBe('405 InvalidMethod')
  })
})
