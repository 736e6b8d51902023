import type { Benchmark } from '../harness/suite.ts'
import { dispatch } from './dispatch.ts'

export const dispatchSuite: readonly Benchmark[] = [dispatch]
