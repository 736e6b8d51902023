import { describe, expect, test } from 'vitest'
import { type DiskEvent, memoryEnvironment, SeededRandom, SimDisk, World } from '../../../src/testing/index.ts'

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

describe('a simulated disk', () => {
  test('tells observers of each effect at once, with who did it', async () => {
    const world = new World(1)
    const { disk } = world.host()
    const events: DiskEvent[] = []
    const all: string[] = []
    disk.observe(({ operation }) => all.push(operation))
    const cancel = disk.observeBelow('out', (event) => events.push(event))
    disk.mkdir('out')
    disk.mkdir('outside')
    const process = world.spawn('job', async ({ fs }) => {
      const file = await fs.create('out/.tmp')
      await file.append(bytesOf('x'))
      await file.sync()
      await fs.rename('out/.tmp', 'out/part')
      await fs.rename('out/part', 'moved')
      await fs.syncDirectory('/out/')
      await fs.rename('missing', 'out/x').catch(() => {})
    })
    await world.run(() => !process.alive)
    disk.powerLoss(new SeededRandom(1))
    cancel()
    disk.put('out/b', 'x')
    expect(events.map(({ actor, operation, path, from }) => [actor, operation, path, ...(from ? [from] : [])])).toEqual(
      [
        ['outside', 'mkdir', 'out'],
        ['job', 'create', 'out/.tmp'],
        ['job', 'append', 'out/.tmp'],
        ['job', 'sync', 'out/.tmp'],
        ['job', 'rename', 'out/part', 'out/.tmp'],
        ['job', 'rename', 'moved', 'out/part'],
        ['job', 'syncDirectory', 'out'],
        ['outside', 'powerLoss', ''],
      ],
    )
    expect(all.slice(-5)).toEqual(['create', 'append', 'sync', 'syncDirectory', 'syncDirectory'])
  })

  test('shows what processes see and what would survive', () => {
    const disk = new SimDisk()
    disk.put('out/a', 'durable')
    disk.put('out/a', ' not', { durable: false })
    disk.put('out/d/b', 'new', { durable: false })
    expect(disk.names('out')).toEqual(['a', 'd'])
    expect(disk.names('out', 'durable')).toEqual(['a'])
    expect(disk.text('out/a')).toBe('durable not')
    expect(disk.text('out/a', 'durable')).toBe('durable')
    expect(disk.text('out/d/b', 'durable')).toBeUndefined()
    expect(disk.files('out').map(({ path, size }) => [path, size])).toEqual([
      ['out/a', 11],
      ['out/d/b', 3],
    ])
    expect(disk.files('/', 'durable').map(({ path, size }) => [path, size])).toEqual([['out/a', 7]])
    expect(disk.files('missing')).toEqual([])
  })

  test('gives each file a version that grows when its bytes change', () => {
    const disk = new SimDisk()
    disk.put('a', 'x')
    const version = (): number => disk.files('.')[0]?.version ?? -1
    const before = version()
    disk.rename('a', 'b')
    expect(version()).toBe(before)
    disk.put('b', 'y')
    expect(version()).toBeGreaterThan(before)
  })

  test('that is full takes what fits, refuses the rest, and goes on when there is room again', async () => {
    const { fs, disk } = memoryEnvironment()
    disk.capacityBytes = 1_000
    const file = await fs.create('a')
    await file.append(new Uint8Array(500))
    await expect(file.append(new Uint8Array(500))).rejects.toMatchObject({ code: 'ENOSPC' })
    expect(file.size).toBe(744)
    expect(await fs.freeBytes('a')).toBe(0)
    await expect(fs.create('b')).rejects.toMatchObject({ code: 'ENOSPC' })
    await expect(fs.mkdir('d')).rejects.toMatchObject({ code: 'ENOSPC' })
    expect(disk.names('.')).toEqual(['a'])
    await file.truncate(400)
    await fs.mkdir('d')
    disk.capacityBytes = 2_000
    await file.append(new Uint8Array(600))
    await fs.unlink('a')
    // It is still open.
    expect(await fs.freeBytes('.')).toBe(2_000 - 256 - 1_256)
    await file.close()
    expect(await fs.freeBytes('.')).toBe(2_000 - 256)
  })

  test('grows a file without copying it each time', () => {
    const disk = new SimDisk()
    const node = disk.create('a')
    const line = bytesOf('0123456789abcdef')
    for (let n = 0; n < 200_000; n++) disk.append(node, 'a', line)
    expect(node.content.size).toBe(3_200_000)
    expect(node.content.read(1_600_000, 16)).toEqual(line)
  })

  test('may be shared by two environments, as before and after a restart', async () => {
    const before = memoryEnvironment()
    await (await before.fs.create('a')).append(bytesOf('x'))
    before.disk.powerLoss(new SeededRandom(2))
    const after = memoryEnvironment({ disk: before.disk })
    expect(await after.fs.list('.')).toEqual(before.disk.names('.'))
  })
})
