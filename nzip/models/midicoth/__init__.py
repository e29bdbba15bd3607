"""Engine `midicoth`: micro-diffusion compression, after Tacconelli 2026."""
