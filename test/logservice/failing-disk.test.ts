import { describe, expect, test } from 'vitest'
import { jsonOf } from './service.ts'
import { ServiceMachine } from './service-machine.ts'

describe('a log service on a full disk', () => {
  test('answers 503, goes on when space returns, and has all that it confirmed', async () => {
    const machine = new ServiceMachine(1, {})
    await machine.start()
    await machine.json('POST', '/logstores', { logstoreName: 'ls', ttl: 7, shardCount: 1 })
    machine.disk.capacityBytes = 20_000
    let confirmed = 0
    let refused = 0
    for (let n = 0; n < 400 && refused < 5; n++) {
      const answer = await machine.put('0', `${n}`.padStart(100, 'x'))
      if (answer.status === 200) confirmed++
      else {
        refused++
        expect([answer.status, jsonOf(answer)]).toEqual([503, expect.objectContaining({ errorCode: 'ServerBusy' })])
      }
    }
    expect([confirmed > 5, refused]).toEqual([true, 5])
    // Reading needs no space.
    const before = (await machine.json('GET', '/logstores/ls/shards/0?type=cursor&from=begin')) as { cursor: string }
    expect((await machine.pull(0, before.cursor, 1000)).headers['x-log-count']).toBe(String(confirmed))
    machine.disk.capacityBytes = 2 ** 40
    expect((await machine.put('0', 'again')).status).toBe(200)
    await machine.losePower()
    expect((await machine.pull(0, before.cursor, 1000)).headers['x-log-count']).toBe(String(confirmed + 1))
  })
})
