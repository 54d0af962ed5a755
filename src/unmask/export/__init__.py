"""From trained weights to the ONNX file that scanning runs. Needs the extra ``train``.

Modules are imported by name (``unmask.export.onnx_file``), so that nothing heavy is loaded here.
"""
