import { filter, map, toArray } from 'rxjs'
import * as v from 'valibot'
import { z } from 'zod'
import { type DeadLetter, job, listState, mapState, type Stream, valueState } from '../../src/entry/index.ts'
import { arraySource, collectSink, discardSink, functionSink, generatorSource } from '../../src/entry/memory.ts'
import { type Log, type LogGroup, slsSource } from '../../src/entry/sls.ts'
import type { Sink } from '../../src/sink/index.ts'
import { rateLimited, type Source } from '../../src/source/index.ts'

/** What must compile and what must not. Checked by `tsc`, never run: the jobs are inside functions nobody calls. */

type Same<A, B> = (<X>() => X extends A ? 1 : 2) extends <X>() => X extends B ? 1 : 2 ? true : false
/** Compiles only when the two types are the same. */
const same = <A, B>(_: Same<A, B>): void => {}

interface Animal {
  readonly name: string
}
interface Dog extends Animal {
  readonly barks: true
}

const checkpoint = { dir: './checkpoints', every: '5s' } as const
const hits = arraySource([{ path: '/', ms: 5 }])
declare const dogs: Source<Dog, 'exactly-once'>
declare const dogSink: Sink<Dog, 'exactly-once'>
declare const animalSink: Sink<Animal, 'exactly-once'>
declare const anySink: Sink<unknown, 'exactly-once'>
declare const replayOnce: Source<Animal, 'at-least-once'>
const printing = functionSink<Animal>('print', () => {})
declare const unsure: Source<Animal, 'best-effort'>
declare const poisonous: Source<Animal, 'exactly-once', true>
declare const perhapsPoisonous: Source<Animal, 'exactly-once', boolean>

export const recordsFlowWithoutAnnotations = () =>
  job('flow', { checkpoint }, (flow) => {
    const stream = flow.from('in', hits)
    stream.map((hit) => same<typeof hit, { path: string; ms: number }>(true))
    stream
      .map((hit) => hit.ms)
      .filter((ms) => ms > 1)
      .flatMap((ms) => {
        same<typeof ms, number>(true)
        return [String(ms)]
      })
      .mapAsync('look up', { concurrency: 3 }, async (text, signal) => {
        same<typeof text, string>(true)
        same<typeof signal, AbortSignal>(true)
        return { text }
      })
      .keyBy(({ text }) => text.length)
      .reduce(
        'count',
        (key) => {
          same<typeof key, number>(true)
          return { key, count: 0 }
        },
        (known, { text }, key) => {
          same<typeof text, string>(true)
          same<typeof key, number>(true)
          return { ...known, count: known.count + 1 }
        },
      )
      .map((counted) => {
        same<typeof counted, { key: number; count: number }>(true)
        return counted
      })
      .to('out', discardSink())
  })

export const schemasGiveTheirOutput = () =>
  job('schemas', { checkpoint }, (flow) => {
    const lines = flow.from('in', arraySource<unknown>([]))
    lines.parse(z.object({ n: z.coerce.number() })).map((value) => same<typeof value, { n: number }>(true))
    lines.parse(v.object({ n: v.pipe(v.string(), v.transform(Number)) })).map((value) => {
      same<typeof value, { n: number }>(true)
      return value
    })
  })

export const statesAndKeysAreKnown = () =>
  job('states', { checkpoint }, (flow) => {
    flow
      .from('in', hits)
      .keyBy(({ path, ms }) => [path, ms > 5] as const)
      .process('totals', {
        state: { total: valueState<number>(), last: listState<string>(), byName: mapState<string, boolean>() },
        each: ({ path }, { key, state, setTimer, nowMs }) => {
          same<typeof key, readonly [string, boolean]>(true)
          const total = state.total.get()
          same<typeof total, number | undefined>(true)
          state.last.add(path)
          state.byName.set(path, true)
          setTimer(nowMs + 5)
          // @ts-expect-error the state holds numbers
          state.total.set('five')
          // @ts-expect-error there is no such state
          state.unknown.get()
          return [{ path, total }]
        },
        timer: (atMs, { key }) => {
          same<typeof atMs, number>(true)
          return [{ path: key[0], total: undefined }]
        },
      })
      .map((value) => same<typeof value, { path: string; total: number | undefined }>(true))
  })

export const rxSegmentsAreTyped = () =>
  job('rx', { checkpoint }, (flow) => {
    const stream = flow.from('in', hits)
    stream
      .rx(
        'rx',
        filter(({ ms }) => ms > 5),
        map(({ path }) => path),
        toArray(),
      )
      .map((paths) => same<typeof paths, string[]>(true))
    const paths = map(({ path }: { path: string }) => path)
    const halves = map((n: number) => n / 2)
    // @ts-expect-error a path is no number
    stream.rx('rx 2', paths, halves)
  })

export const predicatesNarrow = () =>
  job('narrow', { checkpoint }, (flow) => {
    const animals = flow.from('in', arraySource<Animal | Dog>([]))
    const isDog = (animal: Animal): animal is Dog => 'barks' in animal
    const { barking, named, rest } = animals.split({ barking: isDog, named: (animal) => animal.name !== '' })
    barking.map((dog) => same<typeof dog, Dog>(true))
    named.map((animal) => same<typeof animal, Animal | Dog>(true))
    rest.map((animal) => same<typeof animal, Animal | Dog>(true))
    // @ts-expect-error there is no such branch
    animals.split({ barking: isDog }).meowing
    animals.filter(isDog).map((dog) => same<typeof dog, Dog>(true))
    animals.filter(isDog).to('dogs', dogSink)
  })

export const unionsAreUnions = () =>
  job('union', { checkpoint }, (flow) => {
    const both = flow.from('a', arraySource([1])).union(flow.from('b', arraySource(['x'])))
    both.map((value) => same<typeof value, string | number>(true))
    // @ts-expect-error the stream has text as well
    both.to('numbers', collectSink<number>())
  })

export const sinksTakeWhatTheStreamHas = () =>
  job('sinks', { checkpoint }, (flow) => {
    flow.from('dogs', dogs).to('a', animalSink).to('b', dogSink).to('c', anySink)
    const animals = flow.from('animals', arraySource<Animal>([]))
    animals.to('d', animalSink)
    // @ts-expect-error not every animal is a dog
    animals.to('e', dogSink)
    // @ts-expect-error an object is no text
    animals.to('f', collectSink<string>())
  })

export const callbacksOfASinkAreTypedByTheStream = () =>
  job('callbacks', (flow) => {
    flow.from('in', hits).to(
      'print',
      functionSink('print', (records) => same<typeof records, readonly { path: string; ms: number }[]>(true)),
    )
  })

export const aPromiseIsKept = () => {
  job('exactly-once by its directory', { checkpoint }, (flow) => {
    flow.from('in', dogs).to('out', dogSink)
    // @ts-expect-error a function is called again for what is replayed
    flow.from('in 2', dogs).to('print', printing)
    // @ts-expect-error the source cannot be put back to an exact position
    flow.from('in 3', replayOnce)
  })
  job('at-least-once', { checkpoint, guarantee: 'at-least-once' }, (flow) => {
    flow.from('in', replayOnce).to('print', printing)
    flow.from('in 2', dogs).to('out', dogSink)
    // @ts-expect-error the source makes no promise
    flow.from('in 3', unsure)
  })
  job('no promise', (flow) => {
    flow.from('in', unsure).to('print', printing)
  })
  job('best effort, with checkpoints', { checkpoint, guarantee: 'best-effort' }, (flow) => {
    flow.from('in', unsure).to('print', printing)
  })
}

export const aPromiseNeedsADirectory = () => {
  // @ts-expect-error exactly-once needs checkpoint.dir
  job('a', { guarantee: 'exactly-once' }, () => {})
  // @ts-expect-error at-least-once needs checkpoint.dir
  job('b', { guarantee: 'at-least-once', checkpoint: { every: '5s' } }, () => {})
  job('c', { guarantee: 'best-effort' }, () => {})
  job('d', { guarantee: 'exactly-once', checkpoint }, () => {})
}

export const deadLettersNeedASink = () => {
  const schema = z.object({ n: z.number() })
  job('without', { checkpoint }, (flow) => {
    flow.from('in', hits).parse(schema, { onInvalid: 'skip' })
    // @ts-expect-error the job has no deadLetter
    flow.from('in', hits).parse(schema, { onInvalid: 'dead-letter' })
  })
  job('without options', (flow) => {
    // @ts-expect-error the job has no deadLetter
    flow.from('in', hits).parse(schema, { onInvalid: 'dead-letter' })
  })
  job('with', { checkpoint, deadLetter: collectSink<DeadLetter>() }, (flow) => {
    flow.from('in', hits).parse(schema, { onInvalid: 'dead-letter' })
  })
  // @ts-expect-error dead letters are no numbers
  job('of another type', { checkpoint, deadLetter: collectSink<number>() }, () => {})
  // @ts-expect-error a dead-letter sink must be as good as the promise
  job('weak', { checkpoint, deadLetter: functionSink<DeadLetter>('print', () => {}) }, () => {})
  job(
    'weak enough',
    { checkpoint, guarantee: 'at-least-once', deadLetter: functionSink<DeadLetter>('print', () => {}) },
    () => {},
  )
}

export const sourcesOfDeadLettersNeedASink = () => {
  job('without', { checkpoint }, (flow) => {
    flow.from('in', dogs)
    // @ts-expect-error the job has no deadLetter
    flow.from('in 2', poisonous)
    // @ts-expect-error nor has it one for what may come
    flow.from('in 3', perhapsPoisonous)
    // @ts-expect-error a limit changes nothing about it
    flow.from('in 4', rateLimited(poisonous, 5))
  })
  job('without options', (flow) => {
    // @ts-expect-error the job has no deadLetter
    flow.from('in', poisonous)
  })
  job('with', { checkpoint, deadLetter: collectSink<DeadLetter>() }, (flow) => {
    flow.from('in', poisonous).map((animal) => same<typeof animal, Animal>(true))
    flow.from('in 2', rateLimited(perhapsPoisonous, 5)).map((animal) => same<typeof animal, Animal>(true))
    flow.from('in 3', dogs).map((dog) => same<typeof dog, Dog>(true))
  })
}

export const theSourceOfLogsSaysByItsOptionsWhetherItGivesDeadLetters = () => {
  const connection = { endpoint: 'e', project: 'p', credentials: { accessKeyId: 'i', accessKeySecret: 's' } }
  const logs = { ...connection, logstore: 'access' }
  job('without', { checkpoint }, (flow) => {
    flow.from('in', slsSource(logs)).map((log) => same<typeof log, Log>(true))
    flow.from('in 2', slsSource({ ...logs, records: 'groups', onInvalid: 'skip' })).map((group) => {
      same<typeof group, LogGroup>(true)
      return group
    })
    // @ts-expect-error the job has no deadLetter
    flow.from('in 3', slsSource({ ...logs, onInvalid: 'dead-letter' }))
  })
  job('with', { checkpoint, deadLetter: collectSink<DeadLetter>() }, (flow) => {
    flow.from('in', slsSource({ ...logs, onInvalid: 'dead-letter' })).map((log) => same<typeof log, Log>(true))
    flow.from('in 2', slsSource({ ...logs, onInvalid: 'fail' }))
  })
}

export const whatKeepsStateHasAName = () =>
  job('names', { checkpoint }, (flow) => {
    // @ts-expect-error a source has a name
    flow.from(hits)
    const stream = flow.from('in', hits)
    // @ts-expect-error a sink has a name
    stream.to(discardSink())
    const keyed = stream.keyBy(({ path }) => path)
    // @ts-expect-error reduce has a name
    keyed.reduce(0, (sum: number, { ms }) => sum + ms)
    // @ts-expect-error process has a name
    keyed.process({ state: { n: valueState<number>() }, each: () => [] })
    // @ts-expect-error mapAsync has a name
    stream.mapAsync({}, async () => 1)
    // @ts-expect-error an RxJS segment has a name
    stream.rx(map(({ path }) => path))
    // @ts-expect-error a job has a name
    job({ checkpoint }, () => {})
  })

export const durationsAndSizesHaveUnits = () => {
  job('a', { checkpoint: { dir: './c', every: '250ms', timeout: '1.5h' }, batchBytes: '64KiB' }, () => {})
  job('b', { checkpoint: { dir: './c', every: 5_000 }, channelBytes: 1_000 }, () => {})
  // @ts-expect-error the unit is 's'
  job('c', { checkpoint: { dir: './c', every: '5 seconds' } }, () => {})
  // @ts-expect-error there is no unit
  job('d', { stopDeadline: '30' }, () => {})
  // @ts-expect-error the unit is 'KiB'
  job('e', { batchBytes: '64kb' }, () => {})
  // @ts-expect-error the unit is 'm'
  job('f', { stepTimeout: '1 minute' }, () => {})
}

export const optionsAreKnown = () => {
  // @ts-expect-error fixed needs attempts
  job('b', { restart: { strategy: 'fixed' } }, () => {})
  // @ts-expect-error no strategy
  job('c', { restart: { strategy: 'always' } }, () => {})
  job('d', { checkpoint }, (flow) => {
    // @ts-expect-error no option of map
    flow.from('in', hits).map((hit) => hit, { nme: 'x' })
    // @ts-expect-error no option of a source step
    flow.from('in', hits, { paralelism: 2 })
    // @ts-expect-error no policy
    flow.from('in', hits).parse(z.object({}), { onInvalid: 'ignore' })
  })
  // @ts-expect-error no option of the generator
  generatorSource({ generate: (n) => n, counts: 5 })
}

export const keysAreKeys = () =>
  job('keys', { checkpoint }, (flow) => {
    const stream = flow.from('in', hits)
    stream.keyBy(() => ['a', 1, 2n, true, new Uint8Array(), ['nested']] as const)
    // @ts-expect-error a date is no key
    stream.keyBy(() => new Date())
    // @ts-expect-error an object is no key
    stream.keyBy(({ path }) => ({ path }))
    // @ts-expect-error a key is always there
    stream.keyBy(({ path }) => (path === '' ? undefined : path))
  })

export const aStreamOfOneTypeIsNoStreamOfAnother = (numbers: Stream<number>): void => {
  // @ts-expect-error a number is no text
  const texts: Stream<string> = numbers
  void texts
}
