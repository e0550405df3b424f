// Frames with players are as high as what they show.
for (const frame of document.querySelectorAll("iframe.player")) {
  const fit = () => {
    const inside = frame.contentDocument; // null where pages are files, which may not look at each other
    if (inside?.body) frame.style.height = `${inside.body.offsetHeight + 2}px`;
  };
  frame.addEventListener("load", () => {
    fit();
    const inside = frame.contentDocument;
    if (inside?.body) new ResizeObserver(fit).observe(inside.body);
  });
}
