"""`inspect`: looking into networks of any kind, and into those that look at images."""

from ganglion.cli.inspect import adversarial, descent, images, networks

LOOK = {
    "backpropagation": networks.backpropagation,
    "summary": networks.summary,
    "receptive-field": networks.receptive_field,
    "gradient-flow": networks.gradient_flow,
    "gates": networks.gates,
    "activations": networks.activations,
    "descent": descent.descent,
    "gan": adversarial.gan,
    "filters": images.filters,
    "features": images.features,
    "excite": images.excite,
    "patches": images.patches,
    "saliency": images.saliency,
    "attack": images.attack,
}
