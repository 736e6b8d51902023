import { describe, expect, test } from 'vitest'
import { MetricRegistry, metricTable, type SplitValue } from '../../src/core/index.ts'

describe('a metric registry', () => {
  test('gives the same metric for the same name and labels, another one otherwise', () => {
    const registry = new MetricRegistry({ job: 'j' })
    const metric = registry.metric('millrace_records_in_total', { step: 'a', subtask: 0 })
    expect(registry.metric('millrace_records_in_total', { step: 'a', subtask: 0 })).toBe(metric)
    expect(registry.metric('millrace_records_in_total', { step: 'a', subtask: 1 })).not.toBe(metric)
    expect(registry.metric('millrace_records_in_total', { step: 'b', subtask: 0 })).not.toBe(metric)
    expect(registry.metric('millrace_records_out_total', { step: 'a', subtask: 0 })).not.toBe(metric)
  })

  test('starts counters at zero and leaves gauges absent until somebody knows them', () => {
    const registry = new MetricRegistry({ job: 'j' })
    registry.metric('millrace_records_in_total', { step: 'a' })
    const gauge = registry.metric('millrace_pending_bytes', { step: 'a' })
    expect(registry.collect()).toEqual([
      { name: 'millrace_records_in_total', labels: { job: 'j', step: 'a' }, value: 0 },
    ])
    gauge.set(7)
    expect(registry.collect()).toHaveLength(2)
    gauge.set(undefined)
    expect(registry.collect()).toHaveLength(1)
  })

  test('sums over labels, over one step when asked, and knows nothing of what nobody knows', () => {
    const registry = new MetricRegistry({ job: 'j' })
    registry.metric('millrace_records_in_total', { step: 'a', subtask: 0 }).add(1)
    registry.metric('millrace_records_in_total', { step: 'a', subtask: 1 }).add(2)
    registry.metric('millrace_records_in_total', { step: 'b', subtask: 0 }).add(10)
    registry.metric('millrace_pending_bytes', { step: 'a' })
    expect(registry.sum('millrace_records_in_total')).toBe(13)
    expect(registry.sum('millrace_records_in_total', 'a')).toBe(3)
    expect(registry.sum('millrace_records_in_total', 'c')).toBeUndefined()
    expect(registry.sum('millrace_pending_bytes')).toBeUndefined()
  })
})

describe('the metrics of a step', () => {
  const splits = (count: number): SplitValue[] => Array.from({ length: count }, (_, index) => [`s${index}`, index])

  test('are those of the registry, with the labels of the step', () => {
    const registry = new MetricRegistry({ job: 'j' })
    registry.step({ step: 'a', subtask: 1 }).metric('millrace_pulls_total').add(2)
    registry.step({ step: 'a' }).metric('millrace_pulls_total').add(3)
    expect(registry.collect()).toEqual([
      { name: 'millrace_pulls_total', labels: { job: 'j', step: 'a', subtask: 1 }, value: 2 },
      { name: 'millrace_pulls_total', labels: { job: 'j', step: 'a' }, value: 3 },
    ])
  })

  test('are observed when somebody collects, and only then', () => {
    const registry = new MetricRegistry({ job: 'j' })
    const step = registry.step({ step: 'a', subtask: 0 })
    let looks = 0
    let value: number | undefined
    step.observe('millrace_pending_groups', () => {
      looks++
      return value
    })
    expect([registry.collect(), looks]).toEqual([[], 1])
    expect([registry.sum('millrace_pending_groups'), looks]).toEqual([undefined, 2])
    value = 4
    expect(registry.sum('millrace_pending_groups', 'a')).toBe(4)
    expect(registry.collect()).toEqual([
      { name: 'millrace_pending_groups', labels: { job: 'j', step: 'a', subtask: 0 }, value: 4 },
    ])
    step.observe('millrace_pending_groups', () => 5)
    expect(registry.sum('millrace_pending_groups')).toBe(5)
  })

  test('are not known when whoever knows them throws', () => {
    const registry = new MetricRegistry({ job: 'j' })
    registry.step({ step: 'a' }).observe('millrace_watermark_ms', () => {
      throw new Error('closed')
    })
    registry.step({ step: 'b' }).observe('millrace_watermark_ms', () => 1)
    expect(registry.collect()).toMatchObject([{ labels: { step: 'b' }, value: 1 }])
  })

  test('are not observed any more when the attempt has ended, and an old attempt does not take them back', () => {
    const registry = new MetricRegistry({ job: 'j' })
    const first = new AbortController()
    const old = registry.step({ step: 'a' }, first.signal)
    old.observe('millrace_splits_assigned', () => 1)
    first.abort()
    expect(registry.collect()).toEqual([])
    registry.step({ step: 'a' }, new AbortController().signal).observe('millrace_splits_assigned', () => 2)
    old.observe('millrace_splits_assigned', () => 3)
    expect(registry.sum('millrace_splits_assigned')).toBe(2)
  })

  test('have a series for each split up to a hundred, and beyond that for none', () => {
    const registry = new MetricRegistry({ job: 'j' })
    let count = 100
    let given = 0
    registry.step({ step: 'a' }).observeSplits('millrace_split_lag_ms', function* () {
      for (const split of splits(count)) {
        given++
        yield split
      }
    })
    const samples = registry.collect()
    expect(samples).toHaveLength(100)
    expect(samples[7]).toEqual({
      name: 'millrace_split_lag_ms',
      labels: { job: 'j', step: 'a', split: 's7' },
      value: 7,
    })
    count = 30_000
    given = 0
    expect(registry.collect()).toEqual([])
    expect(given).toBe(101)
  })

  test('have no series for a split of which nothing is known', () => {
    const registry = new MetricRegistry({ job: 'j' })
    registry.step({ step: 'a' }).observeSplits('millrace_split_lag_ms', () => [
      ['s0', undefined],
      ['s1', 0],
    ])
    expect(registry.collect()).toMatchObject([{ labels: { split: 's1' }, value: 0 }])
  })
})

describe('the metric table', () => {
  test.each(Object.entries(metricTable))('names %s as Prometheus asks for', (name, { kind, help }) => {
    expect(name).toMatch(/^millrace_[a-z_]+$/)
    expect(name.endsWith('_total')).toBe(kind === 'counter')
    expect(help).toMatch(/^[A-Z].*\.$/)
  })
})
