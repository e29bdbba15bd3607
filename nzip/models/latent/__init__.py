"""What codes the latents of lossy codecs without loss: integer priors, learned before, and rANS."""
