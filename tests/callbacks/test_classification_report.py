"""The report under plain `model.fit`, and once under `Trainer`; only one test draws all its pictures in earnest."""

import re
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import kerasgan as kg
from kerasgan.callbacks import ClassificationReport, CSVLogger, TensorBoard, classification_report
from kerasgan.testing import tiny_images

NAMES = ("left|", "$_middle_$", "right")
TAGS = ["report/confusion", "report/curves", "report/data", "report/mistakes"]


def squares(labelled=True, test=True, **options):
    """24 squares to train on and 12 to test on, labelled by the third of the picture in which they begin."""
    pixels = np.uint8((tiny_images(36) + 1) * 127.5)
    labels = np.minimum((pixels.max(axis=(1, 3)) > 0).argmax(axis=1) // 2, 2).astype("int32") if labelled else None
    held_out = (pixels[24:], labels[24:] if labelled else None)
    return kg.data.DataModule(
        pixels[:24],
        labels[:24] if labelled else None,
        test=held_out if test else None,
        name="squares",
        class_names=NAMES if labelled else None,
        batch_size=8,
        **options,
    )


def network(outputs=3, activation="softmax"):
    keras.utils.set_random_seed(1)
    layers = [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dropout(0.2, seed=2)]
    return keras.Sequential([*layers, keras.layers.Dense(outputs, activation=activation)])


def compiled(**options):
    model = network(**options)
    model.compile(keras.optimizers.SGD(0.05), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def fit(model, data, callbacks, epochs=2, **options):
    return model.fit(data.train, epochs=epochs, verbose=0, shuffle=False, callbacks=callbacks, **options)


def events(log_dir):
    return EventAccumulator(str(log_dir), size_guidance={"images": 0}).Reload()


@pytest.fixture
def sketched(monkeypatch):
    """Draw nothing; return the rows that the curves were to be drawn of."""
    seen = []
    dot = np.zeros((1, 1, 3), np.uint8)
    monkeypatch.setattr(classification_report, "draw_curves", lambda rows: seen.append(rows) or dot)
    monkeypatch.setattr(classification_report, "draw_confusion", lambda *_: dot)
    monkeypatch.setattr(classification_report, "draw_mistakes", lambda *_: dot)
    monkeypatch.setattr(classification_report, "_picture_of", lambda *_: dot)
    return seen


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """What lies there after training with a report in earnest."""
    path = tmp_path_factory.mktemp("report")
    data, model = squares(), compiled()
    report = ClassificationReport(data, path / "out", log_dir=path / "tb")
    fit(model, data, [report], validation_data=data.test)
    return SimpleNamespace(data=data, model=model, report=report, out=path / "out", log_dir=path / "tb")


def test_every_link_of_the_page_is_relative_and_leads_to_a_picture(done):
    text = (done.out / "report.md").read_text()
    links = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    assert links == [f"report/{name}.png" for name in ("data", "curves", "confusion", "mistakes")]
    for link in links:
        with Image.open(done.out / link) as picture:
            assert 100 < picture.width <= 1960
    assert str(done.out) not in text
    # Nothing unfinished is left beside them.
    written = sorted(path.relative_to(done.out).as_posix() for path in done.out.rglob("*.*"))
    assert written == sorted([*links, "report.md"])


def test_it_judges_the_test_split_with_the_weights_of_the_end(done):
    probabilities = done.model.predict(done.data.test, verbose=0)
    reference = kg.metrics.assess(done.data.test.labels, probabilities, NAMES)
    assert done.report.report_file == done.out / "report.md"
    np.testing.assert_array_equal(done.report.assessment.confusion, reference.confusion)
    np.testing.assert_array_equal(done.report.assessment.probability, reference.probability)


def test_the_page_says_what_was_judged_and_what_came_out(done):
    text = (done.out / "report.md").read_text()
    facts = dict(re.findall(r"^\| ([^|*]+?) +\| +(\S.*?) \|$", text, re.MULTILINE))
    history = done.model.history.history
    assert text.startswith("# squares: classification report\n")
    assert facts["judged on"] == "test split"
    assert (facts["images"], facts["epochs"], facts["steps"]) == ("12", "2", "6")
    assert facts["accuracy"] == f"{done.report.assessment.accuracy:.4f}"
    assert float(facts["final val_loss"]) == pytest.approx(history["val_loss"][-1], rel=1e-3)
    assert done.report.assessment.as_markdown() in text
    assert "\n    squares  8 x 8 x 1, 3 classes\n" in text
    assert r"| left\| " in text


def test_tensorboard_shows_the_four_pictures_at_the_last_step(done):
    log = events(done.log_dir)
    assert sorted(log.Tags()["images"]) == TAGS
    assert {event.step for tag in TAGS for event in log.Images(tag)} == {6}


def test_under_trainer_it_judges_the_data_of_fit_and_reports_in_the_run_directory(tmp_path, sketched):
    classifier = kg.Classifier(network(activation=None), NAMES)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    classifier.compile(keras.optimizers.SGD(0.05), loss, metrics=["accuracy"])
    report, data = ClassificationReport(), squares(val_size=8)
    kg.Trainer(tmp_path / "run", max_epochs=2, callbacks=[report]).fit(classifier, data)
    assert report.report_file == tmp_path / "run" / "report.md"
    assert report.assessment.count == 12
    # Logits are no probabilities; the classifier was asked for those.
    reference = kg.metrics.assess(data.test.labels, classifier.probabilities(data.test), NAMES)
    np.testing.assert_array_equal(report.assessment.probability, reference.probability)
    log = events(tmp_path / "run" / "tensorboard")
    assert sorted(log.Tags()["images"]) == TAGS
    assert "val loss" in log.Tags()["scalars"]


def test_without_a_test_split_it_judges_the_validation_split(tmp_path, sketched):
    data = squares(test=False, val_size=8)
    report = ClassificationReport(data, tmp_path)
    report.write(compiled())
    assert report.assessment.support.tolist() == np.bincount(data.validation.labels, minlength=3).tolist()
    assert "validation split" in report.report_file.read_text()


def test_the_users_own_data_outranks_that_of_fit(tmp_path, sketched):
    report = ClassificationReport(squares(), tmp_path)
    report.describe(squares(test=False, val_size=8))
    report.write(compiled())
    assert report.assessment.count == 12


@pytest.mark.parametrize(
    ("data", "model", "complaint"),
    [
        (lambda: None, {}, r"has no data; give it a labelled kg\.data\.DataModule"),
        (lambda: np.zeros((4, 8, 8, 1)), {}, "has ndarray for data"),
        (lambda: squares(labelled=False), {}, "squares has no labels"),
        (lambda: squares(test=False), {}, "squares has no test and no validation split"),
        (squares, {"activation": None}, r"end the network in a float32 softmax, or use kg\.Classifier"),
        (squares, {"outputs": 2}, "tells 2 classes apart, but squares has 3; give its last layer 3 units"),
        (squares, {"outputs": 1, "activation": "sigmoid"}, r"shape \(8, 1\)"),
    ],
)
def test_what_cannot_be_judged_is_refused_before_the_first_step(data, model, complaint, tmp_path):
    model = compiled(**model)
    with pytest.raises(ValueError, match=complaint) as error:
        fit(model, squares(), [ClassificationReport(data(), tmp_path)])
    assert "\n" not in str(error.value)
    assert int(keras.ops.convert_to_numpy(model.optimizer.iterations)) == 0
    assert list(tmp_path.iterdir()) == []


def test_mistakes_to_show_must_be_positive():
    with pytest.raises(ValueError, match="worst is 0"):
        ClassificationReport(worst=0)


def test_a_network_may_know_more_classes_than_the_data_has(tmp_path, sketched):
    report = ClassificationReport(squares(), tmp_path)
    report.write(compiled(outputs=5))
    assert report.assessment.class_names == (*NAMES, "3", "4")


def test_curves_hold_the_epochs_before_a_resume(tmp_path, sketched):
    data, model = squares(), compiled()
    for epochs in ({"epochs": 2}, {"epochs": 3, "initial_epoch": 2}):
        logger, report = CSVLogger(append="initial_epoch" in epochs), ClassificationReport(data)
        for callback in (logger, report):
            callback.bind(tmp_path)
        history = fit(model, data, [logger, report], **epochs).history
    assert [row["epoch"] for row in sketched[-1]] == [1, 2, 3]
    assert sketched[-1][-1]["loss"] == pytest.approx(history["loss"][-1])
    assert "| epochs          |          3 |" in report.report_file.read_text()
    # Without the table it knows its own epochs only.
    (tmp_path / "metrics.csv").unlink()
    report.write(model)
    assert [row["epoch"] for row in sketched[-1]] == [3]


def test_a_model_that_it_never_saw_training_has_no_curves(tmp_path, sketched):
    path = ClassificationReport(squares(), tmp_path).write(network())
    assert sketched == []
    text = path.read_text()
    assert "curves" not in text
    assert "steps" not in text


def test_writing_again_keeps_what_tensorboard_has(tmp_path, sketched):
    data, model = squares(), compiled()
    report = ClassificationReport(data, tmp_path, log_dir=tmp_path / "tb")
    fit(model, data, [TensorBoard(tmp_path / "tb"), report])
    report.write(compiled(), step=3)
    log = events(tmp_path / "tb")
    assert [event.step for event in log.Scalars("loss")] == [3, 6]
    assert [event.step for event in log.Images("report/data")] == [6, 3]


def test_a_rehearsal_judges_one_batch(tmp_path, sketched):
    report = ClassificationReport(squares(), tmp_path / "mine")
    report.bind(tmp_path / "run", redirect=True)
    report.write(compiled())
    assert report.assessment.count == 8
    assert report.report_file == tmp_path / "run" / "report.md"


def test_it_leaves_training_as_it_was(tmp_path, sketched):
    data = squares()
    alone = fit(compiled(), data, [], epochs=3, validation_data=data.test).history
    data = squares()
    report = ClassificationReport(data, tmp_path)
    watched = fit(compiled(), data, [report], epochs=3, validation_data=data.test).history
    assert watched == alone


def test_one_instance_serves_a_second_fit_also_after_one_that_raised(tmp_path, sketched):
    class Interrupt(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise KeyboardInterrupt

    data, model = squares(), compiled()
    report = ClassificationReport(data, tmp_path, log_dir=tmp_path / "tb")
    report.close()
    with pytest.raises(KeyboardInterrupt):
        fit(model, data, [report, Interrupt()])
    assert not (tmp_path / "report.md").exists()
    fit(model, data, [report])
    report.close()
    assert [row["epoch"] for row in sketched[-1]] == [1, 2]
