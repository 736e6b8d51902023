import type { Benchmark } from '../harness/suite.ts'
import { checkpoint } from './checkpoint.ts'
import { fusedChain } from './fused-chain.ts'
import { keyExchange } from './key-exchange.ts'
import { memory } from './memory.ts'
import { restore } from './restore.ts'

export const runtimeSuite: readonly Benchmark[] = [fusedChain, keyExchange, checkpoint, restore, memory]
