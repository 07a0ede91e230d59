"use strict";
// One slider for each film: every panel shows its newest frame at the chosen step, or at the chosen seconds.
for (const film of document.querySelectorAll(".film")) {
  const controls = film.querySelector(".controls");
  const slider = controls.querySelector("input[type=range]");
  const label = controls.querySelector("label");
  const output = controls.querySelector("output");
  const button = controls.querySelector("button");
  const panels = [...film.querySelectorAll(".panel")].map((panel) => ({
    images: [...panel.querySelectorAll("img")],
    when: panel.querySelector(".when"),
  }));
  let by = "step";
  let stops = [];
  let timer = 0;

  const plain = (value) => Number(value).toLocaleString("en", { maximumFractionDigits: 0 });
  const at = (image) => Number(image.dataset[by]);
  const words = (image) => {
    const step = `step ${plain(image.dataset.step)}`;
    const seconds = image.dataset.seconds;
    return seconds === undefined ? step : `${step} · ${plain(seconds)} s`;
  };
  const show = () => {
    const stop = stops[slider.value];
    let place = "";
    for (const { images, when } of panels) {
      const shown = images.filter((image) => at(image) <= stop).pop() || images[0];
      for (const image of images) image.hidden = image !== shown;
      place = words(shown);
      if (when) when.textContent = place;
    }
    if (panels.length > 1) place = by === "step" ? `step ${plain(stop)}` : `${plain(stop)} s`;
    output.textContent = place;
    slider.setAttribute("aria-valuetext", place);
  };
  const measure = () => {
    stops = [...new Set(panels.flatMap(({ images }) => images.map(at)))].sort((a, b) => a - b);
    slider.max = String(stops.length - 1);
    slider.value = slider.max;
    label.textContent = by === "step" ? "Step" : "Seconds";
    show();
  };
  const stop = () => {
    clearInterval(timer);
    timer = 0;
    button.textContent = "Play";
    button.setAttribute("aria-pressed", "false");
  };
  const play = () => {
    if (Number(slider.value) === stops.length - 1) slider.value = "0";
    button.textContent = "Pause";
    button.setAttribute("aria-pressed", "true");
    timer = setInterval(() => {
      slider.value = String(Number(slider.value) + 1);
      show();
      if (Number(slider.value) === stops.length - 1) stop();
    }, 150);
  };
  button.addEventListener("click", () => (timer ? stop() : play()));
  slider.addEventListener("input", () => { stop(); show(); });
  for (const radio of controls.querySelectorAll("input[type=radio]")) {
    radio.addEventListener("change", () => { by = radio.value; stop(); measure(); });
  }
  measure();
  controls.hidden = panels.every(({ images }) => images.length < 2);
}
