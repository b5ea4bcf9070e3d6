"""Words to vectors to FAISS: a pack becomes a generation, a text finds its neighbours."""
