"""What a model card says about each architecture."""

from models.sizes import (
    Architecture,
    ConvolutionalSizes,
    DiagonalBiLSTMNet,
    DiagonalBiLSTMSizes,
    GatedPixelCNNSizes,
    GivenMapSizes,
    MCGSMSizes,
    MultiScaleSizes,
    Net,
    PixelCNNNet,
    PixelCNNSizes,
    RIDESizes,
    RowLSTMNet,
    RowLSTMSizes,
    Sizes,
)

TITLES: dict[Architecture, str] = {
    "gated_pixelcnn": "A Gated PixelCNN (van den Oord et al. 2016, arXiv 1606.05328)",
    "pixel_cnn": "A PixelCNN (van den Oord et al. 2016, arXiv 1601.06759)",
    "row_lstm": "A Row LSTM (PixelRNN, van den Oord et al. 2016, arXiv 1601.06759)",
    "diagonal_bilstm": "A Diagonal BiLSTM (PixelRNN, van den Oord et al. 2016, arXiv 1601.06759)",
    "multi_scale": "A multi-scale PixelRNN (van den Oord et al. 2016, arXiv 1601.06759)",
    "mcgsm": "An MCGSM (Theis, Hosseini & Bethge 2012)",
    "ride": "RIDE (Theis & Bethge 2015, arXiv 1506.03478)",
}


def layers_text(sizes: Sizes) -> str:
    """One or two sentences about the layers."""
    match sizes:
        case GatedPixelCNNSizes():
            layers = f"{len(sizes.dilations) + 1} gated layers of width {sizes.width} ({_kernels(sizes)})"
            return f"{layers}, no blind spot.{_given_map(sizes.given_map)}"
        case PixelCNNSizes():
            return (
                f"{len(sizes.dilations)} residual blocks with h = {sizes.width} ({_kernels(sizes)}){_digits(sizes)}."
                f"{_direct(sizes)} "
                "It has the blind spot of its architecture: pixels above and far to the right are never seen."
            )
        case RowLSTMSizes():
            return f"{_recurrent(sizes)} It sees a triangle that opens upwards: pixels beside it are never seen."
        case DiagonalBiLSTMSizes():
            return f"{_recurrent(sizes)} It sees every earlier pixel, but for the last of the row above."
        case MultiScaleSizes():
            return _two_nets(sizes)
        case MCGSMSizes():
            return f"It sees the causal half of {sizes.neighbourhood}x{sizes.neighbourhood} pixels. {_mixture(sizes)}"
        case RIDESizes():
            return (
                f"{sizes.num_layers} spatial LSTM {'layer' if sizes.num_layers == 1 else 'layers'} with "
                f"{sizes.width} hidden units over the causal half of "
                f"{sizes.neighbourhood}x{sizes.neighbourhood} pixels. {_mixture(sizes)}"
            )


def _given_map(sizes: GivenMapSizes | None) -> str:
    if sizes is None:
        return ""
    net = f"a convolution of {sizes.kernel}x{sizes.kernel} and {sizes.level} deconvolutions of width {sizes.width}"
    return f" They are told what {net} make of the map."


def _mixture(sizes: MCGSMSizes | RIDESizes) -> str:
    return f"{sizes.num_components} components of {sizes.num_scales} scales, {sizes.num_features} features."


def _two_nets(sizes: MultiScaleSizes) -> str:
    zoom, digits = 1 << sizes.level, ", and the binary digits of its levels" if sizes.map_digits else ""
    first, second = _direct(sizes.small, "The first net's"), _direct(sizes.large, "The second net's")
    cells = ", and by its pixels there as they are," if sizes.map_cells else ""
    return (
        f"Two nets: {_net(sizes.small)} for every {zoom}th row and column of the image, which is drawn first; and "
        f"{_net(sizes.large)} for the whole of it, told by deconvolutions of the first ({sizes.map_kernel}x"
        f"{sizes.map_kernel}, {sizes.map_width} maps{digits}){cells} what is to be there."
        f"{first}{second}"
    )


def _net(net: Net) -> str:
    match net:
        case PixelCNNNet():
            return f"a PixelCNN of {len(net.dilations)} blocks with h = {net.width}{_digits(net)}"
        case RowLSTMNet():
            return f"a Row LSTM of {net.num_layers} layers with h = {net.width}{_digits(net)}"
        case DiagonalBiLSTMNet():
            return f"a Diagonal BiLSTM of {net.num_layers} layers with h = {net.width}{_digits(net)}"


def _digits(sizes: PixelCNNSizes | RowLSTMSizes | DiagonalBiLSTMSizes | Net) -> str:
    return ", told the binary digits of levels" if sizes.digits else ""


def _direct(sizes: PixelCNNSizes | RowLSTMSizes | DiagonalBiLSTMSizes | Net, whose: str = "The") -> str:
    return f" {whose} first maps and output are told so, too, not the layers alone." if sizes.direct else ""


def _recurrent(sizes: RowLSTMSizes | DiagonalBiLSTMSizes) -> str:
    joined = " and ".join(name for name in ("residual", "skip") if getattr(sizes, name)) or "no residual"
    return (
        f"A {sizes.first_kernel}x{sizes.first_kernel} convolution and {sizes.num_layers} recurrent layers with h = "
        f"{sizes.width}, {joined} connections{_digits(sizes)}.{_direct(sizes)}"
    )


def _kernels(sizes: ConvolutionalSizes) -> str:
    return (
        f"{sizes.first_kernel}x{sizes.first_kernel}, then {sizes.kernel}x{sizes.kernel} with dilations "
        f"{', '.join(map(str, sizes.dilations))}"
    )
