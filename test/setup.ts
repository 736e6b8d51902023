import { configureGlobal } from 'fast-check'

/** Every property of a run starts from one seed: the one of `SEED=… npm test`, or a fresh one that the run prints. */
configureGlobal({ seed: Number(process.env['SEED']) })
