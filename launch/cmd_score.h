/* cmd_score.h - `did score`: how good texts are. A causal model gives generative perplexity as
 * BD3-LM's evaluation computes it; a diffusion model the bound on its own likelihood, per block
 * size. Entropy, repetition and length stand beside either. */
#ifndef DID_CMD_SCORE_H
#define DID_CMD_SCORE_H

/* The words after `did score`; returns the exit code, the same on all ranks. Collective over every
 * process of the launch. */
int cmd_score(int argc, char *const *argv);

#endif
