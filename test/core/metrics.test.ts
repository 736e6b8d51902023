import { describe, expect, test } from 'vitest'
import { MetricRegistry, metricTable } from '../../src/core/index.ts'

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

describe('the metric table', () => {
  test.each(Object.entries(metricTable))('names %s as Prometheus asks for', (name, { kind, help }) => {
    expect(name).toMatch(/^millrace_[a-z_]+$/)
    expect(name.endsWith('_total')).toBe(kind === 'counter')
    expect(help).toMatch(/^[A-Z].*\.$/)
  })
})
