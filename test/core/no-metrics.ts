import { MetricRegistry, type StepMetrics } from '../../src/core/index.ts'

/** Metrics that a test has no interest in. */
export const noMetrics = (): StepMetrics => new MetricRegistry({ job: 'test' }).step({ step: 'step' })
