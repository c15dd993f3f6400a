const button = document.querySelector("[data-count]");
const note = document.querySelector("[data-counted]");

button?.addEventListener("click", async () => {
  const response = await fetch(button.dataset.count);
  if (!response.ok) {
    note.textContent = `The shelves could not be counted (${response.status}).`;
    return;
  }
  const { products } = await response.json();
  for (const { slug, stock } of products) {
    const shelf = document.querySelector(`[data-stock="${CSS.escape(slug)}"]`);
    if (shelf) shelf.textContent = stock;
  }
  note.textContent = `Counted at ${new Date().toLocaleTimeString()}.`;
});
