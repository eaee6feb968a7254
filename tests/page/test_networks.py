from mnistpipe.networks.models import NETWORKS, build_network, count_parameters
from mnistpipe.page.networks import draw_networks, trace

TIMES = "\N{MULTIPLICATION SIGN}"


def test_a_network_is_told_layer_by_layer() -> None:
    told = [(layer.does, layer.size, layer.parameters) for layer in trace("convnet", 10)]
    assert [(does.replace(TIMES, "x"), size.replace(TIMES, "x"), n) for does, size, n in told] == [
        ("image", "1x28x28", 0),
        ("convolution 3x3", "8x26x26", 80),
        ("maximum of 2x2", "8x13x13", 0),
        ("convolution 3x3", "8x11x11", 584),
        ("maximum of 2x2", "8x5x5", 0),
        ("linear", "64", 12_864),
        ("linear", "10", 650),
    ]


def test_no_parameter_is_forgotten() -> None:
    for name in NETWORKS:
        told = sum(layer.parameters for layer in trace(name, 26))
        assert told == count_parameters(build_network(name, 0.5, 26))


def test_all_networks_are_drawn() -> None:
    html = draw_networks(10)
    assert html.count("<svg ") == html.count("<table>") == len(NETWORKS)
    assert "<h3>Net <small>76,970 parameters</small></h3>" in html
    assert html.count("<rect ") == 7 + 12
