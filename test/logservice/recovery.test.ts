import { describe, expect, test } from 'vitest'
import { encodeJson } from '../../src/logservice/facts.ts'
import { MemoryDisk } from './memory-storage.ts'
import { openTestService, serviceWithLogstore } from './service.ts'

describe('a log service that is opened again', () => {
  test.each([
    [
      'a change that only a newer version knows',
      (disk: MemoryDisk) => disk.facts.push(encodeJson({ kind: 'moon-landed' })),
    ],
    [
      'definitions of a newer version',
      (disk: MemoryDisk) => {
        disk.snapshot = encodeJson({ version: 2 })
      },
    ],
  ])('refuses %s, and changes nothing', async (_, spoil) => {
    const { disk } = await serviceWithLogstore()
    spoil(disk)
    const before = disk.facts.length
    await expect(openTestService({ disk })).rejects.toMatchObject({ code: 'LOG_STORE_NEWER', exitCode: 4 })
    expect(disk.facts).toHaveLength(before)
  })

  test('refuses changes that are no JSON', async () => {
    const disk = new MemoryDisk()
    disk.facts.push(new Uint8Array([0xff]))
    await expect(openTestService({ disk })).rejects.toMatchObject({ code: 'LOG_STORE_CORRUPT' })
  })

  test('goes on without what a salvage could not save, says so, and uses no stream again', async () => {
    const { disk } = await serviceWithLogstore()
    const first = await openTestService({ disk })
    await first.json('POST', '/logstores', { body: { logstoreName: 'kept', ttl: 7, shardCount: 1 } })
    await first.put('/logstores/ls')
    const text = new TextDecoder()
    const lost = disk.facts.findIndex((fact) => text.decode(fact).includes('"logstore":"ls"'))
    disk.facts.splice(lost, 1)
    disk.facts.push(encodeJson({ kind: 'logstore-updated', project: 'proj', logstore: 'ls', config: {}, seconds: 1 }))
    const again = await openTestService({ disk })
    expect(again.errors.join()).toContain('cannot be followed')
    expect(await again.json('GET', '/logstores')).toMatchObject({ logstores: ['kept'] })
    await again.json('POST', '/logstores', { body: { logstoreName: 'ls', ttl: 7, shardCount: 1 } })
    expect(await again.cursor('ls', 0, 'begin')).toBe(await again.cursor('ls', 0, 'end'))
  })
})
