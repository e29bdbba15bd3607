from nzip.entropy import sources as sources  # looks at them before any of them is imported
