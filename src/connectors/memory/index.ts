/** Sources and sinks without an outside: arrays, generators, collected records, functions. */
export { type CollectSink, collectSink } from './collect-sink.ts'
export { discardSink, functionSink } from './function-sink.ts'
export { arraySource, type GeneratorOptions, generatorSource } from './generator-source.ts'
