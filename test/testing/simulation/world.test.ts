import { describe, expect, test } from 'vitest'
import { type Environment, isMillraceError } from '../../../src/core/index.ts'
import {
  type FaultKind,
  type FaultPlan,
  SeededRandom,
  shrink,
  singleFaultPlans,
  swarmFaultRates,
  World,
} from '../../../src/testing/index.ts'
import { type LedgerBug, runLedger } from './ledger-workload.ts'

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

/** No bit rot: the ledger has no checksum, so it does not claim to notice it. */
const survivable: readonly FaultKind[] = [
  'kill',
  'killAfter',
  'partial',
  'power',
  'powerAfter',
  'pause',
  'stall',
  'eio',
  'enospc',
  'emfile',
  'eacces',
  'clockJump',
  'timerLate',
  'timerEarly',
]

const ratesOf = (seed: number) => swarmFaultRates(new SeededRandom(seed).fork('swarm'), survivable)

const runAlone = async <T>(main: (environment: Environment, world: World) => Promise<T>, world = new World(1)) => {
  let result: { readonly value: T } | undefined
  const process = world.spawn('alone', async (environment) => {
    result = { value: await main(environment, world) }
  })
  const outcome = await world.run(() => !process.alive)
  if (process.end?.kind === 'threw') throw process.end.error
  return { outcome, value: result?.value, world, process }
}

describe('a world', () => {
  test('gives the same trace for the same seed, whatever ran in between', async () => {
    const hashes = new Map<number, string>()
    for (let seed = 1; seed <= 200; seed++) {
      const { world } = await runLedger(seed, { faults: { rates: ratesOf(seed) } })
      hashes.set(seed, world.traceHash)
    }
    expect(new Set(hashes.values()).size).toBe(200)
    for (let seed = 200; seed >= 1; seed--) {
      const { world } = await runLedger(seed, { faults: { rates: ratesOf(seed) } })
      expect(world.traceHash, `seed ${seed}`).toBe(hashes.get(seed))
    }
  })

  test('repeats a run from the faults it recorded', async () => {
    for (let seed = 1; seed <= 50; seed++) {
      const { world } = await runLedger(seed, { faults: { rates: ratesOf(seed) } })
      const again = await runLedger(seed, { faults: { plan: world.faults.injected } })
      expect(again.world.traceHash, `seed ${seed}`).toBe(world.traceHash)
    }
  })

  test('accepts a protocol that is right, under every kind of fault', async () => {
    const seen = new Set<FaultKind>()
    for (let seed = 1; seed <= 300; seed++) {
      const { outcome, world } = await runLedger(seed, { faults: { rates: ratesOf(seed) } })
      expect({ seed, outcome, violations: world.violations }).toEqual({ seed, outcome: 'done', violations: [] })
      for (const [, kind] of world.faults.injected) seen.add(kind)
    }
    expect([...seen].sort()).toEqual([...survivable].sort())
  })

  test.each<[LedgerBug, number]>([
    ['noFileSync', 100],
    ['noDirectorySync', 100],
    ['syncAgainAfterFailure', 1_000],
    ['overwriteInPlace', 100],
  ])('finds the planted bug %s', async (bug, seeds) => {
    for (let seed = 1; seed <= seeds; seed++) {
      const { outcome } = await runLedger(seed, { faults: { rates: ratesOf(seed) }, bug })
      if (outcome === 'violated') return
    }
    expect.unreachable(`no seed up to ${seeds} noticed it`)
  })

  test('finds a missing sync by trying every single fault', async () => {
    const calm = await runLedger(1, { faults: { recordSites: true }, bug: 'noFileSync', target: 4 })
    let runs = 0
    let found = 0
    for (const plan of singleFaultPlans(calm.world.faults.sites, ['power', 'powerAfter'])) {
      const { world, outcome } = await runLedger(1, { faults: { plan }, bug: 'noFileSync', target: 4 })
      expect(world.faults.injected).toEqual(plan)
      runs++
      if (outcome === 'violated') found++
    }
    expect(runs).toBeGreaterThan(20)
    expect(found).toBeGreaterThan(0)
    expect(found).toBeLessThan(runs)
  })

  test('shrinks the faults of a failing seed to the few that matter', async () => {
    const fails = async (seed: number, plan: FaultPlan): Promise<boolean> =>
      (await runLedger(seed, { faults: { plan }, bug: 'noDirectorySync' })).outcome === 'violated'
    for (let seed = 1; seed <= 500; seed++) {
      const { outcome, world } = await runLedger(seed, { faults: { rates: ratesOf(seed) }, bug: 'noDirectorySync' })
      if (outcome !== 'violated' || world.faults.injected.length < 4) continue
      const plan = await shrink(world.faults.injected, (part) => fails(seed, part))
      expect(plan.length).toBeLessThan(world.faults.injected.length)
      expect(plan.some(([, kind]) => kind.startsWith('power'))).toBe(true)
      for (const fault of plan)
        expect(
          await fails(
            seed,
            plan.filter((other) => other !== fault),
          ),
        ).toBe(false)
      return
    }
    expect.unreachable('no seed failed with four faults')
  })

  test('says idle when nothing is left to happen', async () => {
    const world = new World(1)
    world.spawn('stuck', () => new Promise(() => {}))
    expect(await world.run(() => false)).toBe('idle')
  })

  test('says budget after too many events or too much time, and may go on', async () => {
    const world = new World(1)
    const tick = (): void => {
      world.at(10, tick)
    }
    tick()
    expect(await world.run(() => false, { eventsMax: 100 })).toBe('budget')
    expect(world.events).toBe(100)
    expect(await world.run(() => false, { virtualMsMax: 500 })).toBe('budget')
    expect(world.nowMs).toBe(1_500)
    expect(await world.run(() => world.nowMs >= 2_000)).toBe('done')
  })

  test('passes on what an outside event throws, and stops', async () => {
    const world = new World(1)
    world.at(1, () => {
      throw new Error('of the harness')
    })
    await expect(world.run(() => false)).rejects.toThrow('of the harness')
    expect(Date.now()).toBeGreaterThan(world.startWallMs)
  })

  test.each(['observer', 'onEnd', 'onPause', 'done'])(
    'passes on what %s of the test throws, past every process',
    async (where) => {
      const world = new World(1)
      const broken = (at: string): void => {
        if (at === where) throw new Error(`broken ${where}`)
      }
      world.host().disk.observe(() => broken('observer'))
      let caught: unknown
      const process = world.spawn(
        'p',
        async ({ fs, clock }) => {
          await fs.mkdir('d').catch((error: unknown) => {
            caught = error
          })
          await clock.sleep(100)
        },
        { onEnd: () => broken('onEnd'), onPause: () => broken('onPause') },
      )
      world.at(50, () => process.pause(10))
      const done = (): boolean => {
        if (world.nowMs > 20) broken('done')
        return !process.alive
      }
      await expect(world.run(done)).rejects.toThrow(`broken ${where}`)
      expect(caught).toBeUndefined()
    },
  )

  test('takes a rejection that nobody handles for a violation', async () => {
    const { world } = await runAlone(async (environment) => {
      void Promise.reject(new Error('lost'))
      await environment.clock.sleep(10)
    })
    expect(world.violations).toEqual([expect.stringContaining('unhandled rejection in alone: Error: lost')])
  })

  test('lets every order of simultaneous events happen', async () => {
    const orders = new Set<string>()
    for (let seed = 1; seed <= 60; seed++) {
      const { value } = await runAlone(async ({ clock }) => {
        const order: string[] = []
        const step = async (name: string): Promise<void> => {
          await clock.yield()
          order.push(name)
        }
        await Promise.all([step('a'), step('b'), step('c')])
        return order.join('')
      }, new World(seed))
      orders.add(value ?? '')
    }
    expect([...orders].sort()).toEqual(['abc', 'acb', 'bac', 'bca', 'cab', 'cba'])
  })

  test('refuses a second process of the same name', () => {
    const world = new World(1)
    world.spawn('p', async () => {})
    expect(() => world.spawn('p', async () => {})).toThrow('already')
  })
})

describe('a simulated process', () => {
  test('that is killed is never heard of again: nothing settles, nothing is cleaned up', async () => {
    const world = new World(1)
    const seen: string[] = []
    const process = world.spawn('victim', async ({ clock, fs }) => {
      clock.timer(50, () => seen.push('timer'))
      try {
        await fs.create('a')
        await clock.sleep(1_000)
        seen.push('woke')
      } finally {
        seen.push('finally')
      }
    })
    world.at(30, () => process.kill())
    expect(await world.run(() => false)).toBe('idle')
    expect(seen).toEqual([])
    expect(process.end).toEqual({ kind: 'killed', by: 'kill' })
    expect(process.openFiles).toBe(0)
  })

  test('that is stopped does nothing until it continues, while another goes on', async () => {
    const world = new World(7)
    const { disk } = world.host()
    const writes: [string, number][] = []
    disk.observe(({ actor, operation }) => {
      if (operation === 'mkdir') writes.push([actor, world.nowMs])
    })
    const main =
      (name: string) =>
      async ({ fs, clock }: Environment): Promise<void> => {
        for (let n = 0; n < 20; n++) {
          await fs.mkdir(`${name}-${n}`)
          await clock.sleep(10)
        }
      }
    const zombie = world.spawn('zombie', main('zombie'))
    world.spawn('other', main('other'))
    world.at(100, () => zombie.pause(10_000))
    expect(await world.run(() => false)).toBe('idle')
    const times = (name: string) => writes.filter(([actor]) => actor === name).map(([, at]) => at)
    expect(times('zombie').filter((at) => at > 101 && at < 10_100)).toEqual([])
    expect(times('zombie').length).toBe(20)
    expect(Math.max(...times('other'))).toBeLessThan(2_000)
  })

  test('keeps the order of its own timers over a stop', async () => {
    const world = new World(3)
    const order: number[] = []
    const process = world.spawn('p', async ({ clock }) => {
      for (let ms = 100; ms < 200; ms++) clock.timer(ms, () => order.push(ms))
      await clock.sleep(1_000)
    })
    world.at(50, () => process.pause(500))
    await world.run(() => !process.alive)
    expect(order).toEqual([...order].sort((left, right) => left - right))
    expect(order.length).toBe(100)
  })

  test('does not run a timer that was cancelled while it was stopped', async () => {
    const world = new World(3)
    let ran = false
    let cancel = (): void => {}
    const process = world.spawn('p', async ({ clock }) => {
      cancel = clock.timer(10, () => {
        ran = true
      })
      await clock.sleep(5_000)
    })
    world.at(5, () => process.pause(100))
    world.at(50, () => cancel())
    await world.run(() => !process.alive)
    expect(ran).toBe(false)
  })

  test('ends with what its main function threw, or a callback of it', async () => {
    const world = new World(1)
    const thrown = world.spawn('thrown', async () => {
      throw new Error('main')
    })
    const callback = world.spawn('callback', async ({ clock }) => {
      clock.timer(5, () => {
        throw new Error('callback')
      })
      await clock.sleep(1_000)
    })
    await world.run(() => false)
    expect([thrown.end, callback.end]).toEqual([
      { kind: 'threw', error: new Error('main') },
      { kind: 'threw', error: new Error('callback') },
    ])
    expect(isMillraceError(thrown.end)).toBe(false)
  })

  test('counts its open files, and gives them back when it ends', async () => {
    const { process, value } = await runAlone(async ({ fs }, world) => {
      const file = await fs.create('a')
      const [first, second] = [await fs.open('a'), await fs.open('a')]
      const most = world.host().processes[0]?.openFiles
      await first.close()
      await second.close()
      return [most, world.host().processes[0]?.openFiles, file.size]
    })
    expect(value).toEqual([3, 1, 0])
    expect(process.openFiles).toBe(0)
  })

  test('dies with its host and all others on it when the power goes; the clock of the machine starts anew', async () => {
    const world = new World(1)
    const ends: string[] = []
    const onEnd = (end: { kind: string }, { name }: { name: string }): void => {
      ends.push(`${name} ${end.kind} ${world.host().disk.names('.').join()}`)
    }
    world.spawn('a', async ({ fs }) => fs.mkdir('lost').then(() => new Promise(() => {})), { onEnd })
    world.spawn('b', () => new Promise(() => {}), { onEnd })
    const elsewhere = world.host('other').spawn('c', () => new Promise(() => {}))
    world.at(1_000, () => world.host().powerLoss(new SeededRandom(12)))
    let mono = -1
    world.at(1_100, () => {
      world.spawn('d', async ({ clock }) => {
        mono = clock.monoMs()
      })
    })
    await world.run(() => false)
    const left = world.host().disk.names('.').join()
    expect(ends).toEqual([`a killed ${left}`, `b killed ${left}`])
    expect(elsewhere.alive).toBe(true)
    expect(mono).toBe(100)
  })
})

describe('a fault', () => {
  const only = async (kind: FaultKind, main: (environment: Environment, world: World) => Promise<unknown>, at = 0) => {
    const world = new World(5, { faults: { plan: [[at, kind, 99]] } })
    const { process, value } = await runAlone(main, world).catch((error: unknown) => ({
      process: undefined,
      value: error,
    }))
    expect(world.faults.injected.map(([, injected]) => injected)).toEqual([kind])
    return { world, process, value, disk: world.host().disk }
  }

  test('kill comes before the effect, killAfter after it', async () => {
    expect((await only('kill', ({ fs }) => fs.mkdir('d'))).disk.names('.')).toEqual([])
    expect((await only('killAfter', ({ fs }) => fs.mkdir('d'))).disk.names('.')).toEqual(['d'])
  })

  test('partial leaves a part of an append', async () => {
    const { disk, process } = await only(
      'partial',
      async ({ fs }) => (await fs.create('a')).append(bytesOf('0123456789')),
      1,
    )
    expect('0123456789').toContain(disk.text('a'))
    expect(disk.text('a')?.length).toBeLessThan(10)
    expect(process?.end).toEqual({ kind: 'killed', by: 'kill' })
  })

  test('powerAfter loses what was not durable, at some seed, though the call had its effect', async () => {
    const left = new Set<string>()
    for (let detail = 0; detail < 40; detail++) {
      const world = new World(5, { faults: { plan: [[0, 'powerAfter', detail]] } })
      await runAlone(({ fs }) => fs.mkdir('d'), world)
      left.add(world.host().disk.names('.').join())
    }
    expect([...left].sort()).toEqual(['', 'd'])
  })

  test('eio drops what was not written, and the next sync proves nothing', async () => {
    const { disk } = await only(
      'eio',
      async ({ fs }) => {
        const file = await fs.create('a')
        await file.append(bytesOf('durable'))
        await file.sync()
        await file.append(bytesOf('dropped'))
        await expect(file.sync()).rejects.toMatchObject({ code: 'EIO' })
        await file.append(bytesOf('later'))
        await file.sync()
        await fs.syncDirectory('.')
      },
      4,
    )
    expect(disk.text('a')).toBe('durabledroppedlater')
    expect(disk.text('a', 'durable')).toBe('durable\0\0\0\0\0\0\0later')
    disk.powerLoss(new SeededRandom(1))
    expect(disk.text('a')).toBe('durable\0\0\0\0\0\0\0later')
  })

  test.each<[FaultKind, string, string]>([
    ['enospc', 'ENOSPC', 'create'],
    ['emfile', 'EMFILE', 'create'],
    ['eacces', 'EACCES', 'create'],
  ])('%s fails the call with %s and no effect', async (kind, code) => {
    const { disk, value } = await only(kind, ({ fs }) => fs.create('a'))
    expect(value).toMatchObject({ code })
    expect(disk.names('.')).toEqual([])
  })

  test('enospc may apply an append in part; truncate is the way back', async () => {
    const { disk } = await only(
      'enospc',
      async ({ fs }) => {
        const file = await fs.create('a')
        await expect(file.append(bytesOf('0123456789'.repeat(10)))).rejects.toMatchObject({ code: 'ENOSPC' })
        expect(file.size).toBeGreaterThan(0)
        await file.truncate(0)
        await file.append(bytesOf('again'))
      },
      1,
    )
    expect(disk.text('a')).toBe('again')
  })

  test('bitRot changes one bit of what is read, not of the file', async () => {
    const { disk, value } = await only(
      'bitRot',
      async ({ fs }, world) => {
        world.host().disk.put('a', 'abc')
        return (await fs.open('a')).readAt(0, 3)
      },
      1,
    )
    expect(value).not.toEqual(bytesOf('abc'))
    expect(disk.text('a')).toBe('abc')
  })

  test('stall takes half a minute, pause five seconds and more', async () => {
    expect((await only('stall', ({ fs }) => fs.mkdir('d'))).world.nowMs).toBeGreaterThan(30_000)
    expect((await only('pause', ({ fs }) => fs.mkdir('d'))).world.nowMs).toBeGreaterThan(5_000)
  })

  test('clockJump moves the wall clock and not the other', async () => {
    const { value } = await only('clockJump', async ({ fs, clock }) => {
      const before = [clock.wallMs(), clock.monoMs()] as const
      await fs.mkdir('d')
      return [Math.abs(clock.wallMs() - before[0]), clock.monoMs() - before[1]]
    })
    const [wall = 0, mono = 0] = value as number[]
    expect(wall).toBeGreaterThan(60_000)
    expect(mono).toBeLessThan(1_000)
  })

  test('timerLate and timerEarly miss the time', async () => {
    const slept = async (kind: FaultKind): Promise<number> =>
      Number((await only(kind, async ({ clock }) => clock.sleep(100).then(() => clock.monoMs()))).value)
    expect(await slept('timerLate')).toBeGreaterThan(100)
    const early = await slept('timerEarly')
    expect(early).toBeGreaterThanOrEqual(99)
    expect(early).toBeLessThan(100)
  })

  test('of one kind more or less leaves those of the others where they were', async () => {
    const injectedWith = async (extra: boolean): Promise<string> => {
      const world = new World(9, {
        faults: {
          rates: { enospc: 0.1, ...(extra ? { clockJump: 0.3 } : {}) },
          mayHappen: (kind) => kind === 'enospc',
        },
      })
      await runAlone(async ({ fs }) => {
        for (let n = 0; n < 100; n++) await fs.mkdir(`d${n}`).catch(() => {})
      }, world)
      return JSON.stringify(world.faults.injected)
    }
    expect(await injectedWith(true)).toBe(await injectedWith(false))
  })
})

describe('the tripwire', () => {
  test('answers the time of the world to whoever asks the globals, and is gone afterwards', async () => {
    const real = { Date, setTimeout, random: Math.random, now: performance.now }
    const { value, world } = await runAlone(async ({ clock }) => {
      const seen = [Date.now() === clock.wallMs(), new Date().toISOString() === new Date(clock.wallMs()).toISOString()]
      seen.push(performance.now() === clock.monoMs(), new Date(5).getTime() === 5, new Date() instanceof Date)
      const before = clock.monoMs()
      await new Promise((resolve) => setTimeout(resolve, 1_000))
      seen.push(clock.monoMs() - before >= 999, clock.monoMs() - before < 2_000)
      let ticks = 0
      const interval = setInterval(() => {
        ticks++
      }, 100)
      await clock.sleep(1_050)
      clearInterval(interval)
      await clock.sleep(1_000)
      seen.push(ticks === 10)
      const cancelled = setTimeout(() => seen.push(false), 10)
      clearTimeout(cancelled)
      cancelled.unref().refresh()
      clearTimeout(cancelled)
      await new Promise((resolve) => setImmediate(resolve))
      const signal = AbortSignal.timeout(500)
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      seen.push(signal.reason.name === 'TimeoutError')
      return { seen, chance: [Math.random(), crypto.randomUUID(), crypto.getRandomValues(new Uint8Array(4)).join()] }
    })
    expect(value?.seen.every(Boolean)).toBe(true)
    expect(world.tripwireUses).toEqual([])
    expect({ Date, setTimeout, random: Math.random, now: performance.now }).toEqual(real)
    expect(Math.abs(Date.now() - real.Date.now())).toBeLessThan(1_000)
    const again = await runAlone(async () => [Math.random(), crypto.randomUUID()])
    expect(again.value?.[0]).toBe(value?.chance[0])
  })

  test('writes down where the own code of the package uses a global', async () => {
    const { nodeClock } = await import('../../../src/platform/index.ts')
    const { world } = await runAlone(async () => nodeClock.wallMs())
    expect(world.tripwireUses).toEqual([
      { name: 'Date.now', place: expect.stringMatching(/^platform\/node-clock\.ts:\d+/) },
    ])
  })

  test('stops the timers of a library when the process that set them dies', async () => {
    const world = new World(1)
    let ran = false
    const process = world.spawn('p', async ({ clock }) => {
      setTimeout(() => {
        ran = true
      }, 100)
      await clock.sleep(1_000)
    })
    world.at(50, () => process.kill())
    await world.run(() => false)
    expect(ran).toBe(false)
  })

  test('refuses two worlds at the same time', async () => {
    const [first, second] = [new World(1), new World(2)]
    const running = first.run(() => first.nowMs > 0)
    expect(() => second.run(() => true)).toThrow('another world')
    await running
    expect(await second.run(() => true)).toBe('done')
  })
})
