"""How the latent codecs learn: data, the loop with its checkpoints, and a recipe for each codec. Needs torch."""
