"""The domain language: packs, entities, policies, prompts, engines and the two pipelines."""
