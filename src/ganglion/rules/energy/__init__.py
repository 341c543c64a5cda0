"""Learning by energy: contrastive divergence, and deep belief nets climbed layer by layer."""
