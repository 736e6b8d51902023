import type { Benchmark } from '../harness/suite.ts'
import { decode } from './decode.ts'
import { encode } from './encode.ts'
import { stitch } from './stitch.ts'

export const codecSuite: readonly Benchmark[] = [decode, encode, stitch]
