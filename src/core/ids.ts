declare const brand: unique symbol
type Brand<T, Name extends string> = T & { readonly [brand]: Name }

/** Number of a checkpoint. Grows by at least one from checkpoint to checkpoint, across generations and restarts. */
export type CheckpointId = Brand<number, 'CheckpointId'>

/** Number of an attempt to run a job on one checkpoint directory. The newest generation is the only owner. */
export type Generation = Brand<number, 'Generation'>

/** The name the user gave to a source, a sink or a stateful step; state is found again by it. */
export type OperatorUid = Brand<string, 'OperatorUid'>

export const checkpointId = (value: number): CheckpointId => value as CheckpointId
export const generation = (value: number): Generation => value as Generation
export const operatorUid = (value: string): OperatorUid => value as OperatorUid
