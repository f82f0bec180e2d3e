"""The chat model that ships with liminal: a demonstration, trained from text that this package generates.

``model_path()`` is its Hugging Face folder, ``bundled_info()`` what to say about it. The rest of the
package makes the model (`liminal bundled make`), examines it (`liminal bundled evaluate`) and offers
``habits``: what people may want in answers, with checkers and corrections, for the learning simulator.
"""

from liminal.engine.bundled.folder import NAME, NOTICE, BundledInfo, bundled_info, model_path

__all__ = ["NAME", "NOTICE", "BundledInfo", "bundled_info", "model_path"]
