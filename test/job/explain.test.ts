import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import {
  arraySource,
  collectSink,
  discardSink,
  functionSink,
  generatorSource,
} from '../../src/connectors/memory/index.ts'
import type { DeadLetter } from '../../src/core/index.ts'
import { job } from '../../src/job/index.ts'
import { valueState } from '../../src/runtime/index.ts'
import { checkpoint } from './totals.ts'

const slowPaths = job('slow-paths', { checkpoint, parallelism: 4, deadLetter: collectSink<DeadLetter>() }, (flow) => {
  const lines = flow.from('access', generatorSource({ generate: (n) => ({ path: `/${n}`, ms: n }) }))
  const parsed = lines.parse(z.object({ path: z.string(), ms: z.number() }), { onInvalid: 'dead-letter' })
  const { slow, rest } = parsed.split({ slow: ({ ms }) => ms > 100 }, { name: 'by speed' })
  slow
    .keyBy(({ path }) => path)
    .reduce('worst', 0, (worst, { ms }) => Math.max(worst, ms))
    .to('archive', collectSink<number>(), { parallelism: 2 })
  rest.rebalance({ parallelism: 3 }).map(String).to('quick', discardSink())
})

describe('explain()', () => {
  test('tells a person what the job does, how it is spread, and what it promises and why', () => {
    expect(slowPaths.explain().toString()).toMatchInlineSnapshot(`
      "job slow-paths: exactly-once
        source 'access' (generator) is exactly-once: it can be put back to an exact position
        sink 'archive' (collect) is exactly-once: records become visible once, with the checkpoint that names them
        sink 'quick' (discard) is exactly-once: there is no output
        sink 'dead-letter' (collect) is exactly-once: records become visible once, with the checkpoint that names them
        state is exactly-once: positions and state are in the same checkpoint, every 1000 ms
      steps:
        access       source (generator, unbounded) ×4, chain 0, keeps state  → parse (chained)
        parse        parse ×4, chain 0  → by speed (chained), dead-letter → dead-letter (chained)
        by speed     split ×4, chain 0  slow → worst (key), rest → rebalance (rebalance)
        worst        reduce ×4, chain 1, keeps state  → archive (rebalance)
        archive      sink (collect) ×2, chain 3, keeps state
        rebalance    rebalance ×3, chain 2  → map (chained)
        map          map ×3, chain 2  → quick (chained)
        quick        sink (discard) ×3, chain 2, keeps state
        dead-letter  sink (collect) ×4, chain 0, keeps state"
    `)
  })

  test('is text in a template', () => {
    const explanation = slowPaths.explain()
    expect(`${explanation}`).toBe(explanation.toString())
  })

  test('gives plain data for programs', () => {
    const small = job('small', { checkpoint }, (flow) => {
      flow
        .from('in', arraySource([1]))
        .keyBy((n) => n)
        .process('count', {
          state: { n: valueState<number>() },
          each: (n) => [n],
        })
        .to('out', collectSink<number>())
    })
    expect(JSON.stringify(small.explain(), undefined, 1)).toMatchInlineSnapshot(`
      "{
       "job": "small",
       "guarantee": "exactly-once",
       "reasons": [
        "source 'in' (generator) is exactly-once: it can be put back to an exact position",
        "sink 'out' (collect) is exactly-once: records become visible once, with the checkpoint that names them"
       ],
       "state": "state is exactly-once: positions and state are in the same checkpoint, every 1000 ms",
       "steps": [
        {
         "name": "in",
         "what": "source (generator, bounded)",
         "parallelism": 1,
         "chain": 0,
         "keepsState": true
        },
        {
         "name": "count",
         "what": "process",
         "parallelism": 1,
         "chain": 1,
         "keepsState": true
        },
        {
         "name": "out",
         "what": "sink (collect)",
         "parallelism": 1,
         "chain": 1,
         "keepsState": true
        }
       ],
       "edges": [
        {
         "from": "in",
         "to": "count",
         "output": "main",
         "how": "key"
        },
        {
         "from": "count",
         "to": "out",
         "output": "main",
         "how": "chained"
        }
       ]
      }"
    `)
  })

  test('draws a Mermaid flowchart', () => {
    expect(slowPaths.explain().toMermaid()).toMatchInlineSnapshot(`
      "flowchart LR
        subgraph c0 [chain 0]
          s0["access<br/>source (generator, unbounded) ×4"]
          s1["parse<br/>parse ×4"]
          s2["by speed<br/>split ×4"]
          s8["dead-letter<br/>sink (collect) ×4"]
        end
        subgraph c1 [chain 1]
          s3["worst<br/>reduce ×4"]
        end
        subgraph c3 [chain 3]
          s4["archive<br/>sink (collect) ×2"]
        end
        subgraph c2 [chain 2]
          s5["rebalance<br/>rebalance ×3"]
          s6["map<br/>map ×3"]
          s7["quick<br/>sink (discard) ×3"]
        end
        s0 -- "chained" --> s1
        s1 -- "chained" --> s2
        s2 -- "slow, key" --> s3
        s3 -- "rebalance" --> s4
        s2 -- "rest, rebalance" --> s5
        s5 -- "chained" --> s6
        s6 -- "chained" --> s7
        s1 -- "dead-letter, chained" --> s8"
    `)
  })

  test('says that nothing survives without checkpoints', () => {
    const careless = job('careless', (flow) => {
      flow.from('in', arraySource([1])).to('out', collectSink<number>())
    })
    const { guarantee, reasons, state } = careless.explain()
    expect(guarantee).toBe('best-effort')
    expect(reasons[0]).toBe('best-effort: without checkpoint.dir nothing survives the process')
    expect(state).toBe('state is lost with the process')
  })

  test('gives the weakest guarantee on the way, and whose it is', () => {
    const weaker = job('weaker', { checkpoint, guarantee: 'at-least-once' }, (flow) => {
      flow
        .from('in', arraySource([1]))
        .to('strong', collectSink<number>())
        .to(
          'weak',
          functionSink<number>('print', () => {}),
        )
    })
    const { guarantee, reasons, state } = weaker.explain()
    expect(guarantee).toBe('at-least-once')
    expect(reasons).toEqual([
      "source 'in' (generator) is exactly-once: it can be put back to an exact position",
      "sink 'strong' (collect) is exactly-once: records become visible once, with the checkpoint that names them",
      "sink 'weak' (print) is at-least-once: the function is called again for what is replayed after a failure",
    ])
    expect(state).toBe('state is exactly-once: positions and state are in the same checkpoint, every 1000 ms')
  })

  test('does not promise more for the state than the source can give', () => {
    const unsure = job('unsure', { checkpoint, guarantee: 'at-least-once' }, (flow) => {
      const source = { ...arraySource([1]), guarantee: 'at-least-once' as const }
      flow.from('feed', source).to('out', collectSink<number>())
    })
    expect(unsure.explain().state).toBe("state is no better than source 'feed', which cannot replay exactly")
    expect(unsure.explain().reasons[0]).toBe("source 'feed' (generator) is at-least-once: it cannot replay exactly")
  })

  test('draws steps whatever their names are', () => {
    const named = job('named', (flow) => {
      flow
        .from('a b.c-d_e', arraySource([1]))
        .map((n) => n, { name: 'end' })
        .to('subgraph', collectSink<number>())
    })
    expect(
      named
        .explain()
        .toMermaid()
        .split('\n')
        .filter((line) => line.includes('[')),
    ).toEqual([
      '  subgraph c0 [chain 0]',
      '    s0["a b.c-d_e<br/>source (generator, bounded) ×1"]',
      '    s1["end<br/>map ×1"]',
      '    s2["subgraph<br/>sink (collect) ×1"]',
    ])
  })
})
